//! A shop with a production environment, a fixed clock and real hashes.

use ::journal::merkle;
use ::journal::note::Signer;
use model::{Digest, Timestamp};
use serde_json::{Value, json};

use super::super::*;

pub(super) fn now() -> Timestamp {
    "2026-11-21T19:40:00Z".parse().unwrap()
}

/// A moment some seconds before now.
pub(super) fn ago(seconds: i64) -> String {
    model::time::rfc3339(Timestamp::from_second(now().as_second() - seconds).unwrap())
}

fn environment(name: &str, production: bool, may: &[&str]) -> api::EnvironmentName {
    let may = may.iter().map(|word| (*word).to_owned()).collect();
    api::EnvironmentName { name: name.to_owned(), production, may }
}

pub(super) fn frame() -> Frame {
    let all: &[&str] = &["read", "operate", "approve", "administer"];
    Frame {
        place: Some(Place {
            project: "shop".to_owned(),
            environment: "prod".to_owned(),
            production: true,
            position: 18_207,
            checkpointed: Some(18_192),
            waiting: 2,
        }),
        projects: vec![
            api::Project {
                name: "shop".to_owned(),
                default_environment: None,
                environments: vec![environment("dev", false, all), environment("prod", true, all)],
            },
            api::Project {
                name: "payments".to_owned(),
                default_environment: None,
                environments: vec![environment("staging", false, &["read"])],
            },
        ],
        viewer: Some(Viewer {
            principal: "user:maria".to_owned(),
            csrf: Some("c3Jm".to_owned()),
            may: all.iter().map(|word| (*word).to_owned()).collect(),
            administers: true,
        }),
        now: now(),
    }
}

/// The same for somebody who may only look, in a place that customers do not feel.
pub(super) fn onlooker() -> Frame {
    let mut frame = frame();
    let viewer = frame.viewer.as_mut().unwrap();
    viewer.may = vec!["read".to_owned()];
    viewer.administers = false;
    let place = frame.place.as_mut().unwrap();
    (place.environment, place.production, place.waiting) = ("dev".to_owned(), false, 0);
    (place.position, place.checkpointed) = (0, None);
    frame
}

pub(super) fn run_id(number: u32) -> String {
    model::RunId::from_parts(
        1_763_750_000_000 + u64::from(number) * 77_000,
        u128::from(number) * 0x1234_5678_9abc_def0,
    )
    .to_string()
}

pub(super) fn approval_id(number: u32) -> String {
    model::ApprovalId::from_parts(
        1_763_750_000_000 + u64::from(number) * 91_000,
        u128::from(number) * 0xfedc_ba98_7654_3210,
    )
    .to_string()
}

pub(super) fn digest(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

pub(super) fn run(number: u32, workflow: &str, status: &str, from: i64, to: Option<i64>) -> api::Run {
    api::Run {
        run: run_id(number),
        kind: if workflow.starts_with("plan") { "plan" } else { "workflow" }.to_owned(),
        workflow: workflow.to_owned(),
        version: "1.0.0".to_owned(),
        definition: digest(workflow),
        environment: "prod".to_owned(),
        requester: ["user:maria", "user:lea", "token:ci", "drift:aedile"][number as usize % 4].to_owned(),
        parent: None,
        status: status.to_owned(),
        waiting_on: None,
        submitted_at: ago(from),
        started_at: Some(ago(from - 1)),
        ended_at: to.map(ago),
        problem: None,
        position: 18_000 + u64::from(number),
        last: 18_100 + u64::from(number),
    }
}

fn waits(mut run: api::Run, kind: &str, what: &str) -> api::Run {
    run.waiting_on = Some(api::WaitingOn { kind: kind.to_owned(), what: what.to_owned() });
    run
}

fn fails(mut run: api::Run, problem: &str) -> api::Run {
    run.problem = Some(problem.to_owned());
    run
}

pub(super) fn runs() -> Vec<api::Run> {
    let mut all = vec![
        waits(run(1, "examples/release", "waiting", 760, None), "approval", &approval_id(1)),
        run(2, "shop/reindex-search", "running", 95, None),
        waits(run(3, "plan/web", "waiting", 2_700, None), "approval", &approval_id(2)),
        waits(run(4, "shop/nightly-export", "waiting", 5_400, None), "timer", &ago(-3_900)),
        fails(
            run(5, "shop/rotate-certificates", "in_doubt", 4_100, None),
            "the connection was cut after the request was sent",
        ),
        fails(
            run(6, "shop/import-prices", "failed", 3_000, Some(2_910)),
            "prices.example.com answered 503 three times, the last at 18:51:30; nothing was imported",
        ),
        run(7, "examples/release", "completed", 9_000, Some(7_300)),
        run(8, "shop/nightly-export", "completed", 16_000, Some(14_800)),
        run(9, "shop/reindex-search", "completed", 12_000, Some(11_100)),
        run(10, "shop/reindex-search", "cancelled", 19_000, Some(18_500)),
        run(11, "plan/web", "completed", 20_500, Some(20_340)),
    ];
    all.extend((12..20).map(|number| {
        let from = i64::from(number) * 1_150 - 12_000;
        run(number, "shop/health-report", "completed", from, Some(from - 240))
    }));
    all
}

fn level(level: u32, role: &str, quorum: u32, holders: &[&str], on_timeout: &str) -> api::Level {
    api::Level {
        level,
        roles: vec![role.to_owned()],
        quorum,
        within_ms: Some(u64::from(level) * 7_200_000),
        on_timeout: on_timeout.to_owned(),
        emergency_override: level == 2,
        holders: holders.iter().map(|holder| (*holder).to_owned()).collect(),
    }
}

pub(super) fn approval(number: u32, title: &str, left: i64) -> api::Approval {
    api::Approval {
        approval: approval_id(number),
        run: run_id(number),
        step: if number == 1 { "/do/2/decide/try/0/approve" } else { "/" }.to_owned(),
        title: title.to_owned(),
        status: "waiting".to_owned(),
        chain: "release".to_owned(),
        level: 1,
        levels: vec![
            level(1, "team-lead", 2, &["user:maria", "user:omar", "user:lea"], "escalate"),
            level(2, "release-manager", 1, &["user:omar"], "deny"),
        ],
        votes: vec!["user:omar".to_owned()],
        requester: "user:lea".to_owned(),
        binding: digest("binding"),
        asked_at: ago(720),
        expires_at: Some(ago(-left)),
        ended_at: None,
        ended_by: None,
        reason: None,
        position: 18_190,
    }
}

pub(super) fn approvals() -> Vec<api::Approval> {
    vec![
        approval(1, "Release shop 1.4.2 to production", 6_480),
        approval(2, "Apply a plan to 3 hosts of prod: create 4, update 2, replace 1, delete 1", 540),
    ]
}

/// Records of a small journal, newest last, with real digests that lead from one to the next.
pub(super) fn records() -> Vec<(api::Record, String)> {
    let lea = "user:lea";
    let events = [
        (
            "environment",
            "environment.initialised",
            "system:aedile",
            json!({"environment": "prod", "origin": "aedile/prod"}),
        ),
        ("run_a", "run.submitted", lea, Value::Null),
        (
            "run_a",
            "run.judged",
            "system:aedile",
            json!({"verdict": "allow", "policy": digest("p"), "input": digest("i")}),
        ),
        ("run_a", "run.started", lea, json!({})),
        ("apr_a", "approval.requested", lea, Value::Null),
        (
            "apr_a",
            "approval.voted",
            "user:omar",
            json!({"level": 1, "by": "user:omar", "binding": digest("binding")}),
        ),
        ("run_b", "run.paused", "user:maria", json!({"reason": "the database is being moved"})),
        ("run_b", "run.resumed", "user:maria", json!({})),
        (
            "run_b",
            "run.failed",
            "system:aedile",
            json!({"problem": {"type": "https://serverlessworkflow.io/spec/1.0.0/errors/communication", "status": 503, "title": "prices.example.com answered 503"}}),
        ),
        (
            "apr_b",
            "approval.denied",
            "user:omar",
            json!({"level": 1, "by": "user:omar", "reason": "not on a Friday"}),
        ),
        ("run_c", "run.cancel_requested", "user:maria", json!({"reason": "started twice"})),
        ("run_c", "run.cancelled", "system:aedile", json!({"reason": "started twice"})),
        (
            "run_d",
            "run.completed",
            "system:aedile",
            json!({"output": {"released": true, "version": "1.4.1"}}),
        ),
    ];
    let mut previous = Digest::ZERO;
    let mut records = Vec::new();
    for (position, (stream, kind, actor, data)) in (1..).zip(events) {
        let stream = match stream.split_once('_') {
            Some(("run", _)) => run_id(position),
            Some(("apr", _)) => approval_id(position),
            _ => stream.to_owned(),
        };
        let at = ago(1_400 - i64::from(position) * 100);
        let record = json!({
            "actor": actor, "data": data, "id": position.to_string(), "previous": previous.to_string(), "sequence": "1",
            "source": "aedile/prod", "specversion": "1.0", "subject": stream, "time": at, "type": kind,
        });
        let canonical = String::from_utf8(model::canonical::to_vec(&record)).unwrap();
        previous = merkle::leaf_hash(canonical.as_bytes());
        let record = api::Record {
            position: u64::from(position),
            stream,
            sequence: 1,
            kind: kind.to_owned(),
            at,
            actor: actor.to_owned(),
            record,
            digest: previous.to_string(),
        };
        records.push((record, canonical));
    }
    records
}

/// Root and path of a leaf, by the recursive definition of RFC 9162, section 2.1.
fn tree(leaves: &[Digest], index: usize) -> (Digest, Vec<Digest>) {
    if let [leaf] = leaves {
        return (*leaf, Vec::new());
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    if index < split {
        let ((root, mut path), (other, _)) = (tree(left, index), tree(right, 0));
        path.push(other);
        (merkle::node_hash(&root, &other), path)
    } else {
        let ((other, _), (root, mut path)) = (tree(left, 0), tree(right, index - split));
        path.push(other);
        (merkle::node_hash(&other, &root), path)
    }
}

pub(super) fn record_view(position: usize) -> journal::RecordView {
    let records = records();
    let size = records.len() - 1;
    let leaves: Vec<Digest> =
        records[..size].iter().map(|(_, canonical)| merkle::leaf_hash(canonical.as_bytes())).collect();
    let (record, canonical) = records[position - 1].clone();
    let previous = record.record["previous"].as_str().unwrap().to_owned();
    let proof = (position <= size).then(|| {
        let (root, path) = tree(&leaves, position - 1);
        let signer = Signer::from_seed("aedile/prod", &[7; 32]).unwrap();
        let checkpoint =
            ::journal::checkpoint::Checkpoint { origin: "aedile/prod".to_owned(), size: size as u64, root };
        api::Proof {
            record: record.clone(),
            index: position as u64 - 1,
            size: size as u64,
            root: hex::encode(root.as_bytes()),
            path: path.iter().map(|hash| hex::encode(hash.as_bytes())).collect(),
            note: checkpoint.sign(&[&signer]).unwrap().to_string(),
            file: String::new(),
            verifiers: vec![signer.verifier().to_string()],
        }
    });
    journal::RecordView { record, canonical, previous, proof, last: 13 }
}

pub(super) fn checkpoint() -> api::Checkpoint {
    let proof = record_view(3).proof.unwrap();
    api::Checkpoint {
        checkpoint: "ckp_1".to_owned(),
        size: 12,
        root: proof.root,
        at: ago(120),
        position: 13,
        note: proof.note,
    }
}

pub(super) fn status() -> api::Status {
    let runs = runs();
    let of = |status: &str| runs.iter().filter(|run| run.status == status).cloned().collect::<Vec<_>>();
    api::Status {
        project: "shop".to_owned(),
        environment: "prod".to_owned(),
        journal: api::JournalStatus {
            position: 18_207,
            digest: digest("head"),
            bytes: 48_300_000,
            checkpointed_to: Some(18_192),
        },
        runs: [
            ("running", 1),
            ("waiting", 3),
            ("in_doubt", 1),
            ("failed", 1),
            ("completed", 1_482),
            ("cancelled", 9),
        ]
        .into_iter()
        .map(|(status, count)| (status.to_owned(), count))
        .collect(),
        timers: 4,
        approvals_waiting: 3,
        approvals: approvals(),
        open: runs.iter().filter(|run| run.ended_at.is_none()).cloned().collect(),
        failed: of("failed"),
        drifted: vec!["web-2/nginx.conf".to_owned()],
        drift: vec![api::Drifted { resource: "web-2/nginx.conf".to_owned(), class: "changed".to_owned() }],
        fights: Vec::new(),
        flapping: Vec::new(),
        skipped: None,
        rules: None,
    }
}

pub(super) fn overview() -> overview::View {
    let changes =
        records().into_iter().map(|(record, _)| record).rev().filter(|record| record.kind != "run.judged");
    overview::View {
        status: status(),
        mine: approvals(),
        recent: runs(),
        names: changes
            .clone()
            .filter(|record| record.stream.starts_with("run_"))
            .map(|record| (record.stream, "examples/release".to_owned()))
            .collect(),
        changes: changes
            .map(|mut record| {
                record.position += 18_190;
                record
            })
            .take(10)
            .collect(),
    }
}

fn step(id: &str, kind: &str, status: &str, from: i64, to: Option<i64>) -> api::Step {
    api::Step {
        step: id.to_owned(),
        name: String::new(),
        kind: kind.to_owned(),
        target: None,
        status: status.to_owned(),
        attempts: 1,
        started_at: Some(ago(from)),
        ended_at: to.map(ago),
        verdict: Some(
            json!({"verdict": "allow", "matched": [], "policy": digest("p"), "input": digest("i")}),
        ),
        approval: None,
        input: Some(json!({"service": "shop", "version": "1.4.2", "to": "staging"})),
        output: Some(json!({"ok": true, "took": 4.2, "warnings": null})),
        problem: None,
        doubt: None,
        position: 18_100,
    }
}

pub(super) fn definition() -> Value {
    json!({"do": [
        {"remember": {"set": {"version": "1.4.2"}}},
        {"stage": {"call": "echo:0.1.0"}},
        {"decide": {
            "try": [{"approve": {"call": "approval"}}],
            "catch": {"do": [{"rollBack": {"call": "echo:0.1.0"}}, {"stop": {"raise": {}, "then": "end"}}]}
        }},
        {"regions": {"fork": {"branches": [{"europe": {"call": "http"}}, {"america": {"call": "http"}}, {"asia": {"call": "http"}}]}}},
        {"healthy": {"switch": [{"yes": {"when": ".ok", "then": "promote"}}, {"no": {"then": "stage"}}]}},
        {"promote": {"call": "echo:0.1.0"}},
    ]})
}

pub(super) fn release(lens: run::Lens) -> run::View {
    let mut asking = step("/do/2/decide/try/0/approve", "approval", "asking", 720, None);
    asking.approval = Some(approval_id(1));
    (asking.output, asking.verdict) = (None, None);
    let detail = api::RunDetail {
        origin: "project".to_owned(),
        run: runs().swap_remove(0),
        input: json!({"version": "1.4.2"}),
        output: None,
        why: vec![format!("It waits for somebody with the role team-lead to decide {}.", approval_id(1))],
        links: api::RunLinks {
            itself: String::new(),
            steps: String::new(),
            events: String::new(),
            stream: String::new(),
        },
    };
    run::View {
        detail,
        steps: vec![
            step("/do/0/remember", "set", "completed", 758, Some(757)),
            step("/do/1/stage", "echo", "completed", 757, Some(721)),
            asking,
        ],
        events: records().into_iter().map(|(record, _)| record).collect(),
        next: None,
        graph: Some(run::Graph::of_workflow(&definition())),
        cancelling: false,
        problem: None,
        lens,
    }
}

/// A run that stands because nobody knows what happened.
pub(super) fn doubtful() -> run::View {
    let mut view = release(run::Lens::Steps);
    view.detail.run = runs().swap_remove(4);
    view.detail.why = vec!["A step may or may not have happened, and only a person can find out.".to_owned()];
    let mut doubt = step("/do/1/charge", "http", "in_doubt", 4_000, None);
    doubt.problem = Some("the connection was cut after the request was sent".to_owned());
    (doubt.output, doubt.attempts, doubt.target) =
        (None, 2, Some("https://pay.example.com/charges".to_owned()));
    doubt.verdict = Some(json!({"verdict": "require", "matched": [
        {"rule": "policy/policy.yaml#/require/0", "said": "require", "message": "payments are looked at by two people"},
        {"rule": "policy/hours.rego#warn", "said": "warn", "message": "outside of office hours"},
    ]}));
    view.steps = vec![step("/do/0/prepare", "set", "completed", 4_050, Some(4_049)), doubt];
    view
}

/// The changes of the plan that is reviewed, with what differs.
fn plan_changes() -> Vec<plan::Change> {
    let change = |instance: &str, operation: &str, more: Value| {
        let mut change = json!({
            "instance": instance, "operation": operation, "type": "linux.file::file",
            "reasons": [{"why": "new"}], "effect": "idempotent", "reversibility": "reversible",
            "basis": {"observed": "", "applied": ""},
        });
        for (name, value) in more.as_object().expect("members") {
            change[name] = value.clone();
        }
        serde_json::from_value(change).expect("a change")
    };
    let known = |value: &str| json!({"is": "known", "value": value});
    let certificate =
        json!({"desired": {"path": "/etc/ssl/web.pem", "mode": "0640"}, "uses": ["write:/etc/ssl/web.pem"]});
    let conf = json!({
        "reasons": [{"why": "configuration", "attributes": ["content"]}],
        "fields": [
            {"name": "content", "cause": "configuration",
                "before": known("server {\n  listen 80;\n}\n"), "after": known("server {\n  listen 8080;\n}\n")},
            {"name": "password", "cause": "configuration", "before": {"is": "secret", "seal": format!("hmac-sha256:{}", "0".repeat(64))},
                "after": {"is": "unknown", "on": ["web-1/secret.key"]}},
        ],
    });
    let volume = json!({
        "reasons": [{"why": "replaced", "attributes": ["path"]}], "reversibility": "irreversible",
        "fields": [{"name": "path", "cause": "configuration", "forcesReplacement": true, "before": known("/srv/old"), "after": known("/srv/new")}],
    });
    let cron = json!({"reasons": [{"why": "removed"}], "prior": {"path": known("/etc/cron.d/old")}});
    vec![
        change("web-1/certificate", "create", certificate.clone()),
        change("web-2/certificate", "create", certificate.clone()),
        change("web-3/certificate", "create", certificate.clone()),
        change("web-1/exporter", "create", certificate),
        change("web-1/nginx.conf", "update", conf.clone()),
        change("web-2/nginx.conf", "update", conf),
        change("web-1/volume", "replace", volume),
        change("web-3/old-cron", "delete", cron),
    ]
}

pub(super) fn plan_review() -> review::View {
    let changes: Vec<String> = [
        "create web-1/certificate",
        "create web-2/certificate",
        "create web-3/certificate",
        "create web-1/exporter",
        "update web-1/nginx.conf",
        "update web-2/nginx.conf",
        "replace web-1/volume",
        "delete web-3/old-cron",
    ]
    .map(str::to_owned)
    .to_vec();
    let asked = json!({
        "workflow": "plan/web", "environment": "prod", "input": {},
        "proposal": {
            "plan": "pln_1", "digest": digest("plan"), "changes": changes,
            "counts": {"create": 4, "update": 2, "replace": 1, "delete": 1, "unchanged": 61, "blocked": 0, "move": 0, "forget": 0, "adopt": 0},
            "reach": {"hosts": ["web-1", "web-2", "web-3"], "hostsKnown": 12, "resources": 8, "resourcesKnown": 69, "sharePermille": 116, "irreversible": 1, "drifted": 1},
        },
    });
    review::View {
        detail: api::ApprovalDetail {
            approval: approvals().swap_remove(1),
            asked: json!({ "asked": asked }),
            you: api::Powers { decide: true, override_: true, withdraw: false, why_not: None },
        },
        changes: Some(plan_changes()),
        verdict: Some(json!({"verdict": "require", "matched": [
            {"rule": "policy/policy.yaml#/require/2", "said": "require", "message": "what cannot be taken back is looked at by two people"},
            {"rule": "policy/reach.rego#warn", "said": "warn", "message": "the plan reaches more than a tenth of everything"},
        ]})),
        problem: None,
        late: false,
        done: false,
    }
}

pub(super) fn task_review() -> review::View {
    let mut view = plan_review();
    view.detail.approval = approvals().swap_remove(0);
    view.detail.asked = json!({
        "asked": {"service": "shop", "version": "1.4.2", "to": "production"},
        "description": "Staged since 19:27, smoke tests are green.\nChangelog: prices are rounded once, at the end.",
    });
    view.detail.you = api::Powers {
        decide: false,
        override_: false,
        withdraw: true,
        why_not: Some("You asked, so somebody else has to decide.".to_owned()),
    };
    (view.changes, view.verdict) = (None, None);
    view
}

/// Somebody was faster.
pub(super) fn late_review() -> review::View {
    let mut view = plan_review();
    let approval = &mut view.detail.approval;
    "denied".clone_into(&mut approval.status);
    approval.ended_at = Some(ago(4));
    approval.ended_by = Some("user:omar".to_owned());
    approval.reason = Some("not on a Friday evening".to_owned());
    (view.late, view.detail.you.decide, view.detail.you.override_) = (true, false, false);
    view
}
