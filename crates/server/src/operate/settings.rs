//! Settings: tokens of one's own, accounts for administrators, keys of journals, how pages look.

use maud::{Markup, html};

use super::frame::{self, Frame, Head, Section};
use super::icons::icon;
use super::parts::{self, Empty, Weight};
use super::status::{self, Tone};
use super::{text, time};

/// Which settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// Tokens of one's own.
    Tokens,
    /// Who may sign in; for administrators.
    Accounts,
    /// Keys that sign checkpoints.
    Keys,
    /// How pages look.
    Look,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it may do, in words.
    pub scope: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends by itself.
    pub expires_at: Option<String>,
    /// When it was used last.
    pub used_at: Option<String>,
    /// Whether it was revoked or has expired.
    pub ended: bool,
}

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Their principal.
    pub principal: String,
    /// Whether they administer the server.
    pub administers: bool,
    /// Whether they may sign in.
    pub active: bool,
    /// When the account was made.
    pub created_at: String,
}

/// Keys of one environment's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// Verifiers of signed notes, `NAME+ID+KEY`.
    pub verifiers: Vec<String>,
}

/// What the settings show.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Which.
    pub tab: Tab,
    /// The viewer's tokens.
    pub tokens: Vec<Token>,
    /// A token that was just made: shown now and never again.
    pub issued: Option<String>,
    /// A link to sign in that was just made: shown now and never again.
    pub link: Option<String>,
    /// Accounts; only for administrators.
    pub accounts: Vec<Account>,
    /// Keys of the environments that the viewer may read.
    pub keys: Vec<Keys>,
    /// Why what was just asked for was not done.
    pub problem: Option<api::Problem>,
}

/// The page.
pub fn page(frame: &Frame, view: &View) -> Markup {
    let tabs = [
        ("Tokens", "/settings/tokens".to_owned(), view.tab == Tab::Tokens),
        ("Accounts", "/settings/accounts".to_owned(), view.tab == Tab::Accounts),
        ("Keys", "/settings/keys".to_owned(), view.tab == Tab::Keys),
        ("Appearance", "/settings/appearance".to_owned(), view.tab == Tab::Look),
    ];
    let content = html! {
        (parts::heading(&[], &html! { "Settings" }, &html! {}))
        (parts::tabs("Settings", &tabs))
        @if let Some(problem) = &view.problem { (parts::problem(problem)) }
        @match view.tab {
            Tab::Tokens => (tokens(frame, view)),
            Tab::Accounts => (accounts(frame, view)),
            Tab::Keys => (keys(view)),
            Tab::Look => (look()),
        }
    };
    frame.page(&Head::still("Settings", Section::Settings), &content)
}

/// A secret that is shown once.
fn once(what: &str, secret: &str) -> Markup {
    parts::notice(
        Weight::Good,
        &html! {
            p { strong { (what) } " It is shown now and never again: only its digest is kept." }
            p.command { code data-copy data-link[secret.starts_with('/')] { (secret) } button.quiet.copy type="button" hidden { (icon("copy")) span { "Copy" } } }
        },
    )
}

fn tokens(frame: &Frame, view: &View) -> Markup {
    html! {
        @if let Some(issued) = &view.issued { (once("This is the new token.", issued)) }
        section aria-labelledby="tokens" {
            h2 #tokens { "Your tokens" }
            p.lead { "For programs and for the command line. A token never may do more than you." }
            @if view.tokens.is_empty() {
                (parts::empty(Empty::First { what: "You have no token. Make one below, or let the command line ask for one:", command: "aedile login" }))
            } @else {
                ul.cards { @for token in &view.tokens { (self::token(frame, token)) } }
            }
        }
        section.panel.narrow aria-labelledby="issue" {
            h2 #issue { "New token" }
            form method="post" action="/settings/tokens" {
                (frame.csrf())
                label { span { "Name" } input type="text" name="name" required maxlength="64" placeholder="deploy from ci" autocomplete="off"; }
                fieldset {
                    legend { "It may" }
                    @for (value, word) in [("read", "read"), ("operate", "start and steer runs"), ("approve", "decide approvals"), ("administer", "administer")] {
                        label.choice { input type="checkbox" name="may" value=(value) checked[value == "read"]; span { (word) } }
                    }
                }
                label { span { "Where" }
                    select name="environment" {
                        option value="" { "wherever you may" }
                        @for project in &frame.projects {
                            @for environment in &project.environments {
                                option value=(format!("{}/{}", project.name, environment.name)) { (project.name) " / " (environment.name) }
                            }
                        }
                    }
                }
                label { span { "Ends after" }
                    select name="days" {
                        @for (days, word) in [("1", "a day"), ("7", "a week"), ("30", "30 days"), ("90", "90 days"), ("365", "a year")] {
                            option value=(days) selected[days == "30"] { (word) }
                        }
                    }
                }
                button.primary type="submit" { "Make the token" }
            }
        }
    }
}

fn token(frame: &Frame, token: &Token) -> Markup {
    html! {
        li {
            @if token.ended { (status::tag(Tone::Idle, "stop", "ended")) } @else { (status::tag(Tone::Good, "check", "active")) }
            div.grow {
                span.title { (text::line(&token.name)) } " " code.id { (text::short_id(&token.id)) }
                p.note {
                    "may " (text::line(&token.scope)) " \u{b7} made " (time::ago(&token.created_at, frame.now))
                    @if let Some(at) = &token.expires_at { " \u{b7} " @if token.ended { "ended " } @else { "ends " } (time::ago(at, frame.now)) }
                    @match &token.used_at { Some(at) => { " \u{b7} used " (time::ago(at, frame.now)) } None => " \u{b7} never used" }
                }
            }
            @if !token.ended {
                details.action.harms {
                    summary.button { "Revoke" span.unseen { " " (text::line(&token.name)) } }
                    form method="post" action=(format!("/settings/tokens/{}/revoke", text::encoded(&token.id))) {
                        (frame.csrf())
                        p { "Whatever uses it is refused from now on." }
                        button.danger type="submit" { "Revoke it" }
                    }
                }
            }
        }
    }
}

fn accounts(frame: &Frame, view: &View) -> Markup {
    if !frame.viewer.as_ref().is_some_and(|viewer| viewer.administers) {
        return parts::empty(Empty::Forbidden {
            what: "see accounts",
            who: "Administrators of this server may, and they can make you one.",
        });
    }
    html! {
        @if let Some(link) = &view.link { (once("This is the link to sign in. Give it to the person over a way you trust; it works once.", link)) }
        section aria-labelledby="accounts" {
            h2 #accounts { "Accounts" }
            p.lead { "Who may sign in. What they may do in an environment is written in the project's access.yaml." }
            ul.cards { @for account in &view.accounts { (self::account(frame, account)) } }
        }
        section.panel.narrow aria-labelledby="invite" {
            h2 #invite { "New account" }
            form method="post" action="/settings/accounts" {
                (frame.csrf())
                label { span { "Name" } input type="text" name="name" required maxlength="64" placeholder="maria" autocomplete="off" spellcheck="false"; }
                label.choice { input type="checkbox" name="administers" value="true"; span { "administers this server" } }
                button.primary type="submit" { "Make the account and a link to sign in" }
            }
        }
    }
}

fn account(frame: &Frame, account: &Account) -> Markup {
    let act = |verb: &str| format!("/settings/accounts/{}/{verb}", text::encoded(&account.principal));
    html! {
        li {
            @if account.active { (status::tag(Tone::Good, "check", "active")) } @else { (status::tag(Tone::Idle, "stop", "disabled")) }
            div.grow {
                span.title { (text::person(&account.principal)) }
                p.note { (text::line(&account.principal)) " \u{b7} since " (time::ago(&account.created_at, frame.now)) @if account.administers { " \u{b7} administers this server" } }
            }
            @if account.active {
                form method="post" action=(act("link")) { (frame.csrf()) button type="submit" { "Link to sign in" span.unseen { " for " (text::person(&account.principal)) } } }
                details.action.harms {
                    summary.button { "Disable" span.unseen { " " (text::person(&account.principal)) } }
                    form method="post" action=(act("disable")) {
                        (frame.csrf())
                        p { "They are signed out everywhere, and their tokens end." }
                        button.danger type="submit" { "Disable the account" }
                    }
                }
            } @else {
                form method="post" action=(act("enable")) { (frame.csrf()) button type="submit" { "Enable" span.unseen { " " (text::person(&account.principal)) } } }
            }
        }
    }
}

fn keys(view: &View) -> Markup {
    html! {
        section aria-labelledby="keys" {
            h2 #keys { "Keys that sign checkpoints" }
            p.lead { "Public halves. Keep them somewhere else, and a journal can be verified without this server." }
            @if view.keys.iter().all(|keys| keys.verifiers.is_empty()) {
                (parts::empty(Empty::First { what: "No journal names a key yet. The first checkpoint makes one.", command: "aedile journal checkpoint" }))
            }
            @for keys in view.keys.iter().filter(|keys| !keys.verifiers.is_empty()) {
                section.panel {
                    h3 { (text::line(&keys.project)) " / " (text::line(&keys.environment)) }
                    @for verifier in &keys.verifiers {
                        p.command { code data-copy { (text::line(verifier)) } button.quiet.copy type="button" hidden { (icon("copy")) span { "Copy" } } }
                    }
                }
            }
        }
    }
}

fn look() -> Markup {
    html! {
        section.panel.narrow aria-labelledby="look" {
            h2 #look { "Appearance" }
            (frame::theme())
            noscript { p.note { "Without scripts, pages follow the theme of your system." } }
            h3 { "Time" }
            p { "Times of day are in UTC, as in the journal and in every log. Point at an age to see the moment." }
            h3 { "Keys" }
            p { "Press " kbd { "?" } " on any page to see what the keys do. None of them changes anything." }
        }
    }
}
