//! Our icons: strokes on a grid of 16, once in each page, used by name.

use maud::{Markup, PreEscaped, html};

/// Every icon, as symbols that [`icon`] refers to. All of it is ours, so it needs no escape.
const SYMBOLS: &str = concat!(
    r#"<svg class="sprite" aria-hidden="true" width="0" height="0"><defs>"#,
    r#"<symbol id="i-mark" viewBox="0 0 24 24"><path d="M2 7h20M4 7v13M12 7v13M20 7v13M4 20v-6a4 4 0 0 1 8 0v6M12 20v-6a4 4 0 0 1 8 0v6M2 20h20"/></symbol>"#,
    r#"<symbol id="i-overview" viewBox="0 0 16 16"><path d="M2 9.5 8 3l6 6.5M4 8v5h8V8"/></symbol>"#,
    r#"<symbol id="i-runs" viewBox="0 0 16 16"><path d="M5 4h9M2 8h9M5 12h9"/></symbol>"#,
    r#"<symbol id="i-approvals" viewBox="0 0 16 16"><path d="M5.5 7.5 8 10l5.5-6M13.5 8.5v3a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2H9"/></symbol>"#,
    r#"<symbol id="i-policy" viewBox="0 0 16 16"><path d="M8 2v11M4.5 13h7M3 4.5h10M3 4.500 1.200 8.500h3.600ZM13 4.500l-1.800 4h3.600Z"/></symbol>"#,
    r#"<symbol id="i-journal" viewBox="0 0 16 16"><path d="M6.500 9.500 9.500 6.500M7 4.500l1.200-1.200a3.200 3.200 0 0 1 4.500 4.500L11.500 9M4.500 7 3.300 8.200a3.200 3.200 0 0 0 4.500 4.500L9 11.500"/></symbol>"#,
    r#"<symbol id="i-settings" viewBox="0 0 16 16"><path d="M2 5h6M12 5h2M2 11h2M8 11h6"/><circle cx="10" cy="5" r="2"/><circle cx="6" cy="11" r="2"/></symbol>"#,
    r#"<symbol id="i-check" viewBox="0 0 16 16"><path d="M3 8.500 6.500 12 13 4.500"/></symbol>"#,
    r#"<symbol id="i-cross" viewBox="0 0 16 16"><path d="m4 4 8 8m0-8-8 8"/></symbol>"#,
    r#"<symbol id="i-clock" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="M8 4.500V8l2.500 1.500"/></symbol>"#,
    r#"<symbol id="i-pause" viewBox="0 0 16 16"><path d="M5.500 3.500v9M10.500 3.500v9"/></symbol>"#,
    r#"<symbol id="i-play" viewBox="0 0 16 16"><path d="M5 3v10l7.500-5Z"/></symbol>"#,
    r#"<symbol id="i-busy" viewBox="0 0 16 16"><path d="M8 2a6 6 0 1 1-6 6"/></symbol>"#,
    r#"<symbol id="i-doubt" viewBox="0 0 16 16"><path d="M5.500 6a2.500 2.500 0 1 1 3.600 2.200C8.300 8.700 8 9.200 8 10M8 12.700v.1"/></symbol>"#,
    r#"<symbol id="i-stop" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6"/><path d="m4 4 8 8"/></symbol>"#,
    r#"<symbol id="i-dot" viewBox="0 0 16 16"><circle cx="8" cy="8" r="3.500"/></symbol>"#,
    r#"<symbol id="i-warn" viewBox="0 0 16 16"><path d="M8 2.500 14.500 13.500h-13ZM8 6.500v3M8 11.600v.1"/></symbol>"#,
    r#"<symbol id="i-people" viewBox="0 0 16 16"><circle cx="6" cy="5.500" r="2.500"/><path d="M1.500 13.500c0-2.700 2-4.200 4.500-4.200s4.500 1.500 4.500 4.200M10.500 3.200a2.500 2.500 0 0 1 0 4.600M12 9.700c1.500.6 2.500 1.900 2.500 3.800"/></symbol>"#,
    r#"<symbol id="i-up" viewBox="0 0 16 16"><path d="M8 13V3M3.500 7.500 8 3l4.500 4.500"/></symbol>"#,
    r#"<symbol id="i-back" viewBox="0 0 16 16"><path d="M6 3 2.500 6.500 6 10M2.500 6.500H10a3.500 3.500 0 0 1 0 7H7"/></symbol>"#,
    r#"<symbol id="i-seal" viewBox="0 0 16 16"><path d="M8 1.500 13.500 4v4c0 3.300-2.300 5.400-5.500 6.500C4.800 13.400 2.500 11.300 2.500 8V4ZM5.500 8l2 2 3.200-3.800"/></symbol>"#,
    r#"<symbol id="i-search" viewBox="0 0 16 16"><circle cx="7" cy="7" r="4.500"/><path d="m10.500 10.500 3.500 3.500"/></symbol>"#,
    r#"<symbol id="i-copy" viewBox="0 0 16 16"><rect x="5.500" y="5.500" width="8" height="8" rx="1.500"/><path d="M10.500 3.500a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1"/></symbol>"#,
    r#"<symbol id="i-next" viewBox="0 0 16 16"><path d="m6 3 5 5-5 5"/></symbol>"#,
    r#"<symbol id="i-down" viewBox="0 0 16 16"><path d="m3.500 6 4.500 4.500L12.500 6"/></symbol>"#,
    r#"<symbol id="i-user" viewBox="0 0 16 16"><circle cx="8" cy="5.500" r="3"/><path d="M2.500 14c.4-3 2.500-4.500 5.500-4.500s5.100 1.500 5.500 4.500"/></symbol>"#,
    r#"<symbol id="i-bell" viewBox="0 0 16 16"><path d="M4 11V7a4 4 0 1 1 8 0v4l1.200 1.500H2.800ZM6.800 14.200h2.400"/></symbol>"#,
    r#"<symbol id="i-plus" viewBox="0 0 16 16"><path d="M8 3v10M3 8h10"/></symbol>"#,
    r#"<symbol id="i-change" viewBox="0 0 16 16"><path d="M3 11.500 11.500 3l1.800 1.800L4.800 13.300 2.500 13.500Z"/></symbol>"#,
    r#"<symbol id="i-swap" viewBox="0 0 16 16"><path d="M2.500 5.500h10l-3-3M13.500 10.500h-10l3 3"/></symbol>"#,
    r#"<symbol id="i-trash" viewBox="0 0 16 16"><path d="M2.500 4.500h11M6 4.500v-2h4v2M4 4.500l.7 9h6.600l.7-9"/></symbol>"#,
    "</defs></svg>"
);

/// The symbols; once, at the beginning of a page.
pub(super) fn sprite() -> Markup {
    PreEscaped(SYMBOLS.to_owned())
}

/// One icon. It says nothing by itself: a word stands beside it.
pub(super) fn icon(name: &str) -> Markup {
    html! { svg.icon aria-hidden="true" focusable="false" { use href=(format!("#i-{name}")) {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_named_once() {
        let mut names: Vec<&str> =
            SYMBOLS.split("id=\"i-").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(!SYMBOLS.contains("style="), "the content security policy refuses styles");
    }
}
