//! Places boxes in layers so that arrows lead down: what has to come before is above.
//!
//! The usual four steps (Sugiyama, Tagawa, Toda 1981): turn arrows that would lead back, give each box the layer of its longest way
//! from the top, order boxes within layers by the mean place of their neighbours, set coordinates. The same graph is always drawn
//! the same.

/// Distance of a box's left edge to the next one's.
pub(super) const COLUMN: i32 = 204;
/// Width of a box.
pub(super) const WIDTH: i32 = 180;
/// Distance of a layer to the next.
pub(super) const LAYER: i32 = 92;
/// Height of a box.
pub(super) const HEIGHT: i32 = 52;
/// Distance of everything to the edge.
pub(super) const MARGIN: i32 = 12;
/// How often the order within layers is improved.
const SWEEPS: usize = 8;

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The upper left corner of each box.
    pub(super) boxes: Vec<(i32, i32)>,
    /// The points of each arrow, from its first box's edge to its second's.
    pub(super) arrows: Vec<Vec<(i32, i32)>>,
    /// Width of all.
    pub(super) width: i32,
    /// Height of all.
    pub(super) height: i32,
}

/// A place in a layer: a box, or where an arrow passes through.
struct Slot {
    layer: usize,
    /// Its column, after ordering.
    order: usize,
}

/// Lays out boxes `0..count` with arrows between them. Arrows to nowhere and to themselves are left out of the order, and drawn
/// as points.
pub(super) fn layout(count: usize, arrows: &[(usize, usize)]) -> Layout {
    let real: Vec<Option<(usize, usize)>> = arrows
        .iter()
        .map(|(from, to)| (*from < count && *to < count && from != to).then_some((*from, *to)))
        .collect();
    let turned = turned(count, &real);
    let layers = layers(count, &real, &turned);
    let mut slots: Vec<Slot> = layers.iter().map(|layer| Slot { layer: *layer, order: 0 }).collect();
    let mut links: Vec<(usize, usize)> = Vec::new();
    // each arrow as the slots that it passes, from the upper to the lower end
    let ways: Vec<Vec<usize>> = real
        .iter()
        .zip(&turned)
        .map(|(arrow, turned)| {
            let Some((from, to)) = *arrow else { return Vec::new() };
            let (upper, lower) = if *turned { (to, from) } else { (from, to) };
            let mut way = vec![upper];
            for layer in slots[upper].layer + 1..slots[lower].layer {
                slots.push(Slot { layer, order: 0 });
                way.push(slots.len() - 1);
            }
            way.push(lower);
            links.extend(way.windows(2).map(|pair| (pair[0], pair[1])));
            way
        })
        .collect();
    let columns = arrange(&mut slots, &links);
    place(count, &slots, &ways, &turned, columns)
}

/// Which arrows lead back to a box that one came from.
fn turned(count: usize, arrows: &[Option<(usize, usize)>]) -> Vec<bool> {
    let mut out: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
    for (index, arrow) in arrows.iter().enumerate() {
        if let Some((from, to)) = arrow {
            out[*from].push((index, *to));
        }
    }
    let mut turned = vec![false; arrows.len()];
    // 0: not seen, 1: on the way, 2: done
    let mut state = vec![0_u8; count];
    for start in 0..count {
        if state[start] != 0 {
            continue;
        }
        let mut stack = vec![(start, 0)];
        state[start] = 1;
        while let Some((at, next)) = stack.pop() {
            let Some((index, to)) = out[at].get(next).copied() else {
                state[at] = 2;
                continue;
            };
            stack.push((at, next + 1));
            match state[to] {
                0 => {
                    state[to] = 1;
                    stack.push((to, 0));
                }
                1 => turned[index] = true,
                _ => {}
            }
        }
    }
    turned
}

/// The length of the longest way from the top to each box.
fn layers(count: usize, arrows: &[Option<(usize, usize)>], turned: &[bool]) -> Vec<usize> {
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut above = vec![0_usize; count];
    for (arrow, turned) in arrows.iter().zip(turned) {
        if let Some((from, to)) = *arrow {
            let (upper, lower) = if *turned { (to, from) } else { (from, to) };
            below[upper].push(lower);
            above[lower] += 1;
        }
    }
    let mut layers = vec![0; count];
    let mut ready: Vec<usize> = (0..count).filter(|one| above[*one] == 0).collect();
    while let Some(at) = ready.pop() {
        for lower in &below[at] {
            layers[*lower] = layers[*lower].max(layers[at] + 1);
            above[*lower] -= 1;
            if above[*lower] == 0 {
                ready.push(*lower);
            }
        }
    }
    layers
}

/// Orders the slots of each layer by the mean place of their neighbours above, then below, a few times. Answers the width of
/// the widest layer.
fn arrange(slots: &mut [Slot], links: &[(usize, usize)]) -> usize {
    let depth = slots.iter().map(|slot| slot.layer + 1).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); depth];
    for (index, slot) in slots.iter_mut().enumerate() {
        slot.order = rows[slot.layer].len();
        rows[slot.layer].push(index);
    }
    let mut upper: Vec<Vec<usize>> = vec![Vec::new(); slots.len()];
    let mut lower: Vec<Vec<usize>> = vec![Vec::new(); slots.len()];
    for (from, to) in links {
        upper[*to].push(*from);
        lower[*from].push(*to);
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let neighbours = if down { &upper } else { &lower };
        let sequence: Vec<usize> = if down { (0..depth).collect() } else { (0..depth).rev().collect() };
        for layer in sequence {
            sort(&mut rows[layer], slots, neighbours);
        }
    }
    rows.iter().map(Vec::len).max().unwrap_or(0)
}

/// Sorts one layer. A slot without neighbours stays where it is.
fn sort(row: &mut [usize], slots: &mut [Slot], neighbours: &[Vec<usize>]) {
    // in hundredths, so that the order never depends on how a machine rounds
    let mean = |index: usize| {
        let near = &neighbours[index];
        if near.is_empty() {
            return slots[index].order * 100;
        }
        near.iter().map(|one| slots[*one].order * 100).sum::<usize>() / near.len()
    };
    let mut keyed: Vec<(usize, usize)> = row.iter().map(|index| (mean(*index), *index)).collect();
    keyed.sort_by_key(|(key, index)| (*key, slots[*index].order));
    for (order, (_, index)) in keyed.into_iter().enumerate() {
        row[order] = index;
        slots[index].order = order;
    }
}

fn place(count: usize, slots: &[Slot], ways: &[Vec<usize>], turned: &[bool], columns: usize) -> Layout {
    let depth = slots.iter().map(|slot| slot.layer + 1).max().unwrap_or(0);
    let mut widths = vec![0; depth];
    for slot in slots {
        widths[slot.layer] += 1;
    }
    let pixels = |number: usize| i32::try_from(number).unwrap_or(i32::MAX / COLUMN);
    // narrower layers stand in the middle
    let corner = |index: usize| {
        let slot = &slots[index];
        let indent = (pixels(columns) - widths[slot.layer]) * COLUMN / 2;
        (MARGIN + indent + pixels(slot.order) * COLUMN, MARGIN + pixels(slot.layer) * LAYER)
    };
    let arrows = ways.iter().zip(turned).map(|(way, turned)| points(way, *turned, &corner)).collect();
    Layout {
        boxes: (0..count).map(corner).collect(),
        arrows,
        width: 2 * MARGIN + pixels(columns.max(1)) * COLUMN - (COLUMN - WIDTH),
        height: 2 * MARGIN + pixels(depth.max(1)) * LAYER - (LAYER - HEIGHT),
    }
}

/// The points of an arrow, in the direction in which it leads.
fn points(way: &[usize], turned: bool, corner: &impl Fn(usize) -> (i32, i32)) -> Vec<(i32, i32)> {
    let mut points = Vec::with_capacity(way.len() * 2);
    for (index, slot) in way.iter().enumerate() {
        let (x, y) = corner(*slot);
        let middle = x + WIDTH / 2;
        // an arrow leaves a box below, enters one above, and passes straight through what is between
        if index > 0 {
            points.push((middle, y));
        }
        if index + 1 < way.len() {
            points.push((middle, y + HEIGHT));
        }
    }
    if turned {
        points.reverse();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(layout: &Layout, index: usize) -> i32 {
        (layout.boxes[index].1 - MARGIN) / LAYER
    }

    #[test]
    fn a_chain_is_a_column() {
        let layout = layout(3, &[(0, 1), (1, 2)]);
        assert_eq!((row(&layout, 0), row(&layout, 1), row(&layout, 2)), (0, 1, 2));
        assert!(layout.boxes.iter().all(|(x, _)| *x == MARGIN));
        assert_eq!(layout.width, 2 * MARGIN + WIDTH);
    }

    #[test]
    fn branches_stand_beside_each_other_and_do_not_cross() {
        let layout = layout(6, &[(0, 1), (0, 2), (1, 4), (2, 3), (3, 5), (4, 5)]);
        let left = |index: usize| layout.boxes[index].0;
        assert_eq!((row(&layout, 1), row(&layout, 2)), (1, 1));
        assert_eq!(left(1) < left(2), left(4) < left(3), "arrows cross");
        assert_eq!(left(0), left(5), "what comes together stands in the middle");
    }

    #[test]
    fn an_arrow_back_does_not_end_the_order() {
        let layout = layout(3, &[(0, 1), (1, 2), (2, 0)]);
        assert_eq!((row(&layout, 0), row(&layout, 1), row(&layout, 2)), (0, 1, 2));
        let back = &layout.arrows[2];
        assert!(back[0].1 > back[back.len() - 1].1, "it is drawn upwards");
    }

    #[test]
    fn long_arrows_pass_beside_boxes() {
        let layout = layout(3, &[(0, 1), (1, 2), (0, 2)]);
        let middle = &layout.arrows[2][1];
        let (x, _) = layout.boxes[1];
        assert!(middle.0 < x || middle.0 > x + WIDTH, "{middle:?} is in a box at {x}");
    }

    #[test]
    fn boxes_never_overlap_and_what_is_wrong_is_left_out() {
        let arrows: Vec<(usize, usize)> =
            (0..40).map(|one| (one % 13, one * 7 % 20)).chain([(3, 3), (5, 99)]).collect();
        let layout = layout(20, &arrows);
        for one in 0..20 {
            for other in 0..one {
                assert_ne!(layout.boxes[one], layout.boxes[other], "{one} and {other}");
            }
        }
        assert!(layout.arrows[40].is_empty() && layout.arrows[41].is_empty());
        assert_eq!(super::layout(0, &[]).boxes, []);
    }
}
