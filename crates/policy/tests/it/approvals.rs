//! The approval machine.

use model::{ApprovalOutcome, Chain, Coded, Digest, Level, OnTimeout, Timestamp, time::SignedDuration};
use policy::{Approval, ApprovalChange, Approver, Choice, Question, Refusal, Ruling};
use proptest::prelude::*;

use crate::support::*;

const ASKED: &str = "2026-11-21T10:00:00Z";

fn level(number: u32, roles_: &[&str], within: Option<i64>) -> Level {
    Level {
        number,
        roles: roles(roles_),
        quorum: 1,
        within: within.map(SignedDuration::from_secs),
        on_timeout: OnTimeout::Escalate,
        emergency_override: false,
    }
}

fn asked(levels: Vec<Level>) -> Approval {
    Approval::requested(Question {
        chain: Chain { name: "release".to_owned(), levels },
        requester: user("maria"),
        requester_via: None,
        binding: Digest::of(b"asked"),
        at: at(ASKED),
    })
    .unwrap()
}

fn who(name: &str, role: &[&str]) -> Approver {
    Approver { principal: user(name), via: None, roles: roles(role) }
}

fn after(seconds: i64) -> Timestamp {
    at(ASKED) + SignedDuration::from_secs(seconds)
}

fn grant() -> Choice {
    Choice::Grant { reason: None }
}

fn deny() -> Choice {
    Choice::Deny { reason: Some("no".to_owned()) }
}

fn overriding() -> Choice {
    Choice::Override { reason: "outage".to_owned() }
}

fn decide(approval: &mut Approval, choice: &Choice, by: &Approver, seconds: i64) -> Result<Ruling, Refusal> {
    let ruling = approval.decide(choice, by, Digest::of(b"asked"), after(seconds))?;
    if let Ruling::Changes(changes) = &ruling {
        changes.iter().for_each(|change| approval.apply(change));
    }
    Ok(ruling)
}

fn outcome(approval: &Approval) -> Option<&'static str> {
    approval.ended().map(|ended| ended.outcome.as_str())
}

fn noop(message: &str) -> Ruling {
    Ruling::Noop { message: message.to_owned() }
}

fn code(refused: Result<Ruling, Refusal>) -> &'static str {
    refused.unwrap_err().code().id
}

#[test]
fn workflows_11_the_same_decision_again_is_nothing_and_the_opposite_a_conflict() {
    let lead = who("lea", &["lead"]);
    let other = who("lars", &["lead"]);
    let mut granted = asked(vec![level(1, &["lead"], None)]);
    decide(&mut granted, &grant(), &lead, 1).unwrap();
    assert_eq!(decide(&mut granted, &grant(), &lead, 2), Ok(noop("already granted")));
    assert_eq!(decide(&mut granted, &grant(), &other, 2), Ok(noop("already granted")));
    let conflict = decide(&mut granted, &deny(), &other, 3).unwrap_err();
    assert_eq!(conflict.to_string(), "the approval was granted by user:lea at 2026-11-21T10:00:01.000Z");
    assert_eq!(conflict.code().id, "E0206");

    let mut denied = asked(vec![level(1, &["lead"], None)]);
    decide(&mut denied, &deny(), &lead, 1).unwrap();
    assert_eq!(decide(&mut denied, &deny(), &other, 2), Ok(noop("already denied")));
    let conflict = decide(&mut denied, &grant(), &other, 3).unwrap_err();
    assert_eq!(conflict.to_string(), "the approval was denied by user:lea at 2026-11-21T10:00:01.000Z");
}

#[test]
fn workflows_13_of_two_deciders_at_once_the_one_whose_change_is_appended_first_wins() {
    let mut approval = asked(vec![level(1, &["lead"], None)]);
    let ask = |choice: &Choice, name: &str| {
        approval.decide(choice, &who(name, &["lead"]), Digest::of(b"asked"), after(1)).unwrap()
    };
    let (first, second) = (ask(&grant(), "lea"), ask(&deny(), "lars"));
    let (Ruling::Changes(first), Ruling::Changes(second)) = (first, second) else { panic!() };
    first.iter().chain(&second).for_each(|change| approval.apply(change));
    assert_eq!(outcome(&approval), Some("granted"));
    assert_eq!(code(decide(&mut approval, &deny(), &who("lars", &["lead"]), 2)), "E0206");
}

#[test]
fn workflows_14_only_holders_of_a_role_decide_and_case_does_not_matter() {
    let mut approval = asked(vec![level(1, &["Team-Lead"], None)]);
    assert_eq!(code(decide(&mut approval, &grant(), &who("lea", &["director"]), 1)), "E0204");
    assert_eq!(code(decide(&mut approval, &deny(), &who("lea", &[]), 1)), "E0204");
    decide(&mut approval, &grant(), &who("lea", &["team-LEAD"]), 1).unwrap();
    assert_eq!(outcome(&approval), Some("granted"));
    let nobody = Question {
        chain: Chain { name: "c".to_owned(), levels: vec![level(1, &[], None)] },
        ..approval.question().clone()
    };
    assert!(Approval::requested(nobody).is_err(), "a level nobody could decide is not even asked");
}

#[test]
fn who_asks_cannot_decide_whichever_principal_they_act_as() {
    let mut approval = asked(vec![level(1, &["lead"], None)]);
    for choice in [grant(), deny(), overriding()] {
        assert_eq!(code(decide(&mut approval, &choice, &who("maria", &["lead"]), 1)), "E0205");
        let behind = Approver { principal: user("ops"), via: Some(user("maria")), roles: roles(&["lead"]) };
        let refused = decide(&mut approval, &choice, &behind, 1);
        assert_eq!(
            refused.as_ref().unwrap_err().to_string(),
            "user:maria, who acts here as user:ops, made the request and so cannot decide it"
        );
        assert_eq!(code(refused), "E0205");
    }
    let mut behind = approval.question().clone();
    behind.requester_via = Some(user("root"));
    let mut approval = Approval::requested(behind).unwrap();
    assert_eq!(code(decide(&mut approval, &grant(), &who("root", &["lead"]), 1)), "E0205");
}

#[test]
fn a_quorum_needs_different_people() {
    let mut approval = asked(vec![Level { quorum: 2, ..level(1, &["lead"], None) }]);
    decide(&mut approval, &grant(), &who("lea", &["lead"]), 1).unwrap();
    assert_eq!(outcome(&approval), None);
    assert_eq!(decide(&mut approval, &grant(), &who("lea", &["lead"]), 2), Ok(noop("already granted")));
    let same_person = Approver { principal: user("ops"), via: Some(user("lea")), roles: roles(&["lead"]) };
    assert_eq!(code(decide(&mut approval, &grant(), &same_person, 2)), "E0212");
    decide(&mut approval, &grant(), &who("lars", &["lead"]), 3).unwrap();
    let ended = approval.ended().unwrap();
    assert_eq!(
        ended.outcome,
        ApprovalOutcome::Granted { by: vec![user("lea"), user("lars")], overridden: false }
    );
    assert_eq!(ended.by, user("lars"));
}

#[test]
fn one_denial_denies_whatever_the_quorum() {
    let mut approval = asked(vec![Level { quorum: 3, ..level(1, &["lead"], None) }]);
    decide(&mut approval, &grant(), &who("lea", &["lead"]), 1).unwrap();
    decide(&mut approval, &deny(), &who("lars", &["lead"]), 2).unwrap();
    assert_eq!(outcome(&approval), Some("denied"));
}

#[test]
fn every_level_must_be_granted() {
    let mut approval = asked(vec![level(1, &["lead"], Some(60)), level(2, &["director"], Some(100))]);
    assert_eq!(code(decide(&mut approval, &grant(), &who("dora", &["director"]), 5)), "E0204");
    let Ok(Ruling::Changes(changes)) = decide(&mut approval, &grant(), &who("lea", &["lead"]), 10) else {
        panic!()
    };
    let ApprovalChange::Voted { level: 1, expires, .. } = changes[0] else { panic!("{changes:?}") };
    assert_eq!(expires, Some(after(110)), "the second level's time begins with the last grant of the first");
    assert_eq!(approval.due(), Some(after(110)));
    decide(&mut approval, &grant(), &who("dora", &["director"]), 20).unwrap();
    assert_eq!(outcome(&approval), Some("granted"));
}

#[test]
fn workflows_16_without_a_decision_it_expires_once_through_the_system() {
    let mut approval = asked(vec![level(1, &["lead"], Some(1))]);
    assert!(approval.tick(after(0)).is_empty());
    let changes = approval.tick(after(3_600));
    assert_eq!(changes, [ApprovalChange::Expired { level: 1, at: after(1) }]);
    approval.apply(&changes[0]);
    assert!(approval.tick(after(7_200)).is_empty(), "after a restart there is nothing more to say");
    let ended = approval.ended().unwrap();
    assert_eq!((ended.by.as_str(), ended.outcome.as_str()), ("system:aedile", "expired"));
    let late = decide(&mut approval, &grant(), &who("lea", &["lead"]), 7_200).unwrap_err();
    assert_eq!(late.to_string(), "the approval was expired by system:aedile at 2026-11-21T10:00:01.000Z");
}

#[test]
fn workflows_17_after_a_grant_nothing_expires() {
    let mut approval = asked(vec![level(1, &["lead"], Some(60))]);
    decide(&mut approval, &grant(), &who("lea", &["lead"]), 59).unwrap();
    assert_eq!(approval.due(), None);
    assert!(approval.tick(after(100_000)).is_empty());
}

#[test]
fn workflows_18_an_expiry_a_year_ahead_is_not_now() {
    let year = 365 * 24 * 3_600;
    let approval = asked(vec![level(1, &["lead"], Some(year))]);
    assert!(approval.tick(after(0)).is_empty());
    assert!(approval.tick(after(year - 1)).is_empty());
    assert_eq!(approval.due(), Some(after(year)));
    assert_eq!(approval.tick(after(year)).len(), 1);
}

#[test]
fn workflows_19_level_timeout_escalates_and_the_last_one_expires() {
    let mut approval = asked(vec![level(1, &["lead"], Some(1)), level(2, &["director"], Some(5))]);
    let changes = approval.tick(after(1));
    assert_eq!(
        changes,
        [ApprovalChange::Escalated { from: 1, to: 2, at: after(1), expires: Some(after(6)) }]
    );
    approval.apply(&changes[0]);
    assert_eq!(code(decide(&mut approval.clone(), &grant(), &who("lea", &["lead"]), 2)), "E0204");
    assert_eq!(approval.due(), Some(after(6)));
    assert_eq!(approval.tick(after(6)), [ApprovalChange::Expired { level: 2, at: after(6) }]);
}

#[test]
fn workflows_19_what_time_did_while_nothing_ran_is_caught_up_exactly() {
    let approval = asked(vec![level(1, &["lead"], Some(1)), level(2, &["director"], Some(5))]);
    assert_eq!(
        approval.tick(after(100)),
        [
            ApprovalChange::Escalated { from: 1, to: 2, at: after(1), expires: Some(after(6)) },
            ApprovalChange::Expired { level: 2, at: after(6) },
        ]
    );
    // a director who decides in time does so at level 2, although nobody had recorded the escalation yet
    let mut approval = approval;
    let ruling = decide(&mut approval, &grant(), &who("dora", &["director"]), 3).unwrap();
    let Ruling::Changes(changes) = ruling else { panic!() };
    assert!(matches!(
        changes[..],
        [ApprovalChange::Escalated { .. }, ApprovalChange::Granted { level: 2, .. }]
    ));
}

#[test]
fn a_level_that_denies_on_timeout_does_not_escalate() {
    let first = Level { on_timeout: OnTimeout::Deny, ..level(1, &["lead"], Some(1)) };
    let approval = asked(vec![first, level(2, &["director"], None)]);
    assert_eq!(approval.tick(after(1)), [ApprovalChange::Expired { level: 1, at: after(1) }]);
}

#[test]
fn workflows_21_an_emergency_override_ends_it_where_the_level_allows_it() {
    let first = Level { emergency_override: true, ..level(1, &["lead"], None) };
    let mut approval = asked(vec![first, level(2, &["director"], None)]);
    let empty = Choice::Override { reason: " ".to_owned() };
    assert_eq!(code(decide(&mut approval, &empty, &who("lea", &["lead"]), 1)), "E0208");
    decide(&mut approval, &overriding(), &who("lea", &["lead"]), 1).unwrap();
    assert_eq!(outcome(&approval), Some("overridden"));
    assert_eq!(code(decide(&mut approval, &grant(), &who("lars", &["lead"]), 2)), "E0206");
    assert_eq!(
        decide(&mut approval, &overriding(), &who("lea", &["lead"]), 2),
        Ok(noop("already overridden"))
    );
}

#[test]
fn workflows_21_an_override_is_refused_where_the_level_forbids_it() {
    let mut approval = asked(vec![level(1, &["lead"], None)]);
    assert_eq!(code(decide(&mut approval, &overriding(), &who("lea", &["lead"]), 1)), "E0208");
    assert_eq!(outcome(&approval), None);
}

#[test]
fn workflows_22_a_grant_needs_the_role_of_the_current_level() {
    let first = Level { emergency_override: true, ..level(1, &["lead"], None) };
    let mut approval = asked(vec![first, level(2, &["director"], None)]);
    for choice in [grant(), deny(), overriding()] {
        assert_eq!(code(decide(&mut approval, &choice, &who("dora", &["director"]), 1)), "E0204");
    }
}

#[test]
fn a_decision_on_something_else_is_void() {
    let approval = asked(vec![level(1, &["lead"], None)]);
    let refused = approval.decide(&grant(), &who("lea", &["lead"]), Digest::of(b"other"), after(1));
    assert_eq!(code(refused), "E0207");
    let mut approval = approval;
    let changes = approval.void("the policy changed", after(2));
    approval.apply(&changes[0]);
    assert_eq!(outcome(&approval), Some("withdrawn"));
    assert!(approval.void("again", after(3)).is_empty());
}

#[test]
fn every_part_of_what_is_asked_is_in_the_binding() {
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
    let levels = [level(1, &["lead"], Some(5))];
    let base = policy::binding(a, a, a, &levels);
    assert_eq!(base, policy::binding(a, a, a, &levels));
    let mut others = vec![
        policy::binding(b, a, a, &levels),
        policy::binding(a, b, a, &levels),
        policy::binding(a, a, b, &levels),
    ];
    for changed in [
        Level { quorum: 2, ..levels[0].clone() },
        Level { roles: roles(&["other"]), ..levels[0].clone() },
        Level { within: None, ..levels[0].clone() },
        Level { on_timeout: OnTimeout::Deny, ..levels[0].clone() },
        Level { emergency_override: true, ..levels[0].clone() },
    ] {
        others.push(policy::binding(a, a, a, &[changed]));
    }
    assert!(others.iter().all(|other| *other != base));
}

#[test]
fn only_who_asked_takes_it_back() {
    let mut approval = asked(vec![level(1, &["lead"], None)]);
    let withdraw = Choice::Withdraw { reason: "mistake".to_owned() };
    assert_eq!(code(decide(&mut approval, &withdraw, &who("lea", &["lead"]), 1)), "E0204");
    decide(&mut approval, &withdraw, &who("maria", &[]), 1).unwrap();
    assert_eq!(outcome(&approval), Some("withdrawn"));
    assert_eq!(code(decide(&mut approval, &grant(), &who("lea", &["lead"]), 2)), "E0206");
}

proptest! {
    /// However people decide and time passes, there is at most one terminal change, it is the last one, and replaying
    /// the changes gives the same state.
    #[test]
    fn any_sequence_has_exactly_one_end(
        shape in proptest::collection::vec((1u32..4, proptest::option::of(1i64..40), any::<bool>(), any::<bool>()), 1..4),
        steps in proptest::collection::vec((0u8..5, 0usize..6, 0i64..15), 1..60),
    ) {
        let levels: Vec<Level> = shape.iter().zip(1..).map(|((quorum, within, escalate, emergency), number)| Level {
            quorum: *quorum,
            emergency_override: *emergency,
            on_timeout: if *escalate { OnTimeout::Escalate } else { OnTimeout::Deny },
            ..level(number, &["lead", "director"], *within)
        }).collect();
        let people = ["a", "b", "c", "d", "e", "maria"];
        let mut approval = asked(levels);
        let start = approval.clone();
        let mut log: Vec<ApprovalChange> = Vec::new();
        let mut clock = 0;
        for (what, person, passes) in steps {
            clock += passes;
            let by = who(people[person], &["lead"]);
            let choice = match what { 1 | 2 => grant(), 3 => deny(), _ => overriding() };
            let changes = if what == 0 {
                approval.tick(after(clock))
            } else if let Ok(Ruling::Changes(changes)) =
                approval.decide(&choice, &by, Digest::of(b"asked"), after(clock))
            {
                prop_assert!(approval.ended().is_none(), "no change after the end");
                prop_assert_ne!(person, 5, "the requester decided");
                changes
            } else {
                Vec::new()
            };
            for change in changes {
                approval.apply(&change);
                log.push(change);
            }
        }
        let last = approval.tick(Timestamp::MAX);
        last.iter().for_each(|change| approval.apply(change));
        log.extend(last);
        let ends = log.iter().filter(|change| change.is_terminal()).count();
        prop_assert_eq!(ends, usize::from(approval.ended().is_some()));
        if ends == 1 {
            prop_assert!(log.last().is_some_and(ApprovalChange::is_terminal));
        } else {
            prop_assert!(approval.level().within.is_none(), "a level with a limit always ends");
        }
        if let Some(ApprovalChange::Granted { by, .. }) = log.last() {
            prop_assert!(!by.contains(&user("maria")));
        }
        let mut replayed = start;
        log.iter().for_each(|change| replayed.apply(change));
        prop_assert_eq!(replayed, approval);
    }
}
