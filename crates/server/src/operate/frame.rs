//! What is around every page: where one is, where one can go, who one is, and how old what one sees is.

use maud::{DOCTYPE, Markup, html};
use model::Timestamp;

use super::icons::{icon, sprite};
use super::{assets, text, time};

/// Who looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Their principal.
    pub principal: String,
    /// What proves that a form comes from a page of ours; absent where a token is used.
    pub csrf: Option<String>,
    /// What they may do where the page is: `read`, `operate`, `approve`, `administer`.
    pub may: Vec<String>,
    /// Whether they may administer the server.
    pub administers: bool,
}

/// Where a page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// Whether a mistake here is felt by customers.
    pub production: bool,
    /// Position of the journal's last record when the page was made.
    pub position: u64,
    /// How many records signed checkpoints cover.
    pub checkpointed: Option<u64>,
    /// How many approvals wait for the viewer.
    pub waiting: u64,
}

/// What every page has around its content.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Where it is; absent: not in an environment.
    pub place: Option<Place>,
    /// Where the viewer could be, too.
    pub projects: Vec<api::Project>,
    /// Who looks; absent: nobody is signed in.
    pub viewer: Option<Viewer>,
    /// The moment that all ages on the page count from.
    pub now: Timestamp,
}

/// What the rail shows as the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The overview.
    Overview,
    /// Runs.
    Runs,
    /// Approvals.
    Approvals,
    /// Policy.
    Policy,
    /// The journal.
    Journal,
    /// Settings.
    Settings,
    /// None of them.
    None,
}

/// Which of the journal's records make the page look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Live<'a> {
    /// None: what the page shows does not change, or somebody writes in it.
    Never,
    /// Those whose types begin with one of these words.
    Types(&'a str),
    /// Those of this stream, and those of approvals, which it may wait for.
    Stream(&'a str),
}

/// What is special about one page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    /// Its name, first in the window's title.
    pub(super) title: &'a str,
    /// Where it belongs.
    pub(super) section: Section,
    /// When it looks again.
    pub(super) live: Live<'a>,
    /// A script that only this page needs.
    pub(super) script: Option<assets::Asset>,
}

impl<'a> Head<'a> {
    /// A page that stays as it is.
    pub(super) const fn still(title: &'a str, section: Section) -> Self {
        Self { title, section, live: Live::Never, script: None }
    }

    /// A page that looks again when something happens.
    pub(super) const fn live(title: &'a str, section: Section, live: Live<'a>) -> Self {
        Self { title, section, live, script: None }
    }
}

impl Frame {
    /// The address of a page of the environment.
    pub(super) fn path(&self, rest: &str) -> String {
        match &self.place {
            Some(place) => {
                format!("/{}/{}/{rest}", text::encoded(&place.project), text::encoded(&place.environment))
            }
            None => format!("/{rest}"),
        }
    }

    /// The address of a part of the environment's interface for programs.
    pub(super) fn api(&self, rest: &str) -> String {
        let Some(place) = &self.place else { return format!("/api/v1/{rest}") };
        let (project, environment) = (text::encoded(&place.project), text::encoded(&place.environment));
        format!("/api/v1/projects/{project}/environments/{environment}/{rest}")
    }

    /// Whether the viewer may do something here.
    pub(super) fn may(&self, what: &str) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.may.iter().any(|one| one == what))
    }

    /// The field of a form that proves where it comes from.
    pub(super) fn csrf(&self) -> Markup {
        let csrf = self.viewer.as_ref().and_then(|viewer| viewer.csrf.as_deref());
        html! { @if let Some(csrf) = csrf { input type="hidden" name="csrf" value=(csrf); } }
    }

    /// What a command of the command line needs to mean this environment.
    pub(super) fn command(&self, command: &str) -> String {
        match &self.place {
            Some(place) => format!("aedile --env {} {command}", place.environment),
            None => format!("aedile {command}"),
        }
    }

    /// The whole page.
    pub(super) fn page(&self, head: &Head<'_>, content: &Markup) -> Markup {
        let production = self.place.as_ref().is_some_and(|place| place.production);
        html! {
            (DOCTYPE)
            html lang="en" {
                (self.head(head))
                body.production[production]
                    data-stream=[self.stream(head.live)]
                    data-topics=[topics(head.live)]
                    data-kinds=[self.stream(head.live).map(|_| kinds())]
                    data-position=[self.place.as_ref().map(|place| place.position)] {
                    (sprite())
                    a.skip href="#main" { "Skip to the content" }
                    (self.top())
                    (self.rail(head.section))
                    main #main tabindex="-1" { (content) }
                    (self.footer())
                    (help())
                    (self.palette())
                    div #said .unseen role="status" aria-live="polite" {}
                    div #lost .unseen role="alert" {}
                }
            }
        }
    }

    fn head(&self, head: &Head<'_>) -> Markup {
        let place = self.place.as_ref();
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                meta name="color-scheme" content="light dark";
                meta name="htmx-config" content=(HTMX_CONFIG);
                title {
                    (text::line(head.title))
                    @if let Some(place) = place { " \u{b7} " (place.environment) " \u{b7} " (place.project) }
                    " \u{b7} Aedile"
                }
                link rel="icon" type="image/svg+xml" href=(assets::path(assets::ICON));
                link rel="stylesheet" href=(assets::path(assets::STYLE));
                script src=(assets::path(assets::THEME)) {}
                script defer src=(assets::path(assets::HTMX)) {}
                script defer src=(assets::path(assets::SCRIPT)) {}
                @if let Some(script) = head.script { script defer src=(assets::path(script)) {} }
            }
        }
    }

    /// Where the browser listens, where the page looks again at all.
    fn stream(&self, live: Live<'_>) -> Option<String> {
        self.place.as_ref()?;
        (live != Live::Never).then(|| self.api("journal/stream"))
    }

    fn top(&self) -> Markup {
        html! {
            header.top {
                a.brand href="/" aria-label="Aedile, to the overview" {
                    svg.mark aria-hidden="true" { use href="#i-mark" {} }
                    span { "Aedile" }
                }
                @if self.viewer.is_some() { (self.switch()) }
                div.fill {}
                @if let Some(place) = &self.place {
                    a.chain data-key="chain" href=(self.path("journal")) {
                        (icon("seal"))
                        @match place.checkpointed {
                            Some(size) => span { span.wide { "signed to " } "#" (text::grouped(size)) },
                            None => span { "no checkpoint yet" },
                        }
                    }
                }
                @if self.viewer.is_some() {
                    button.quiet.palette-open type="button" hidden { (icon("search")) span.wide { "Go to" } kbd { "Ctrl K" } }
                    (self.menu())
                }
            }
        }
    }

    /// The environment one is in, and the others.
    fn switch(&self) -> Markup {
        html! {
            details.switch.menu {
                summary {
                    span.unseen { "Environment: " }
                    @match &self.place {
                        Some(place) => {
                            span.project { (place.project) }
                            span.env.prod[place.production] {
                                (icon(if place.production { "warn" } else { "dot" }))
                                (place.environment)
                                @if place.production && place.environment != "production" { span.kind { "production" } }
                            }
                        }
                        None => span.project { "Choose an environment" }
                    }
                    (icon("down"))
                }
                div.drop {
                    @for project in &self.projects {
                        p.label { (project.name) }
                        ul {
                            @for environment in &project.environments {
                                (self.environment(project, environment))
                            }
                        }
                    }
                    @if self.projects.is_empty() { p.note { "There is no environment that you may see." } }
                }
            }
        }
    }

    fn environment(&self, project: &api::Project, environment: &api::EnvironmentName) -> Markup {
        let here = self
            .place
            .as_ref()
            .is_some_and(|place| place.project == project.name && place.environment == environment.name);
        let href = format!("/{}/{}/overview", text::encoded(&project.name), text::encoded(&environment.name));
        html! {
            li {
                a href=(href) aria-current=[here.then_some("true")] {
                    span.env.prod[environment.production] {
                        (icon(if environment.production { "warn" } else { "dot" }))
                        (environment.name)
                        @if environment.production && environment.name != "production" { span.kind { "production" } }
                    }
                    span.note { (environment.may.join(", ")) }
                }
            }
        }
    }

    fn menu(&self) -> Markup {
        let Some(viewer) = &self.viewer else { return html! {} };
        html! {
            details.user.menu {
                summary {
                    span.unseen { "Signed in as " }
                    (icon("user")) span.wide { (text::person(&viewer.principal)) }
                }
                div.drop {
                    p.label { "Signed in as" }
                    p.who { code { (text::line(&viewer.principal)) } }
                    @if self.place.is_some() {
                        p.note { "You may " (text::enumerate(&viewer.may, "and")) " here." }
                    }
                    (theme())
                    ul {
                        li { a href="/settings" { (icon("settings")) "Settings" } }
                        li {
                            form method="post" action="/logout" {
                                (self.csrf())
                                button.plain type="submit" { (icon("back")) "Sign out" }
                            }
                        }
                    }
                }
            }
        }
    }

    fn rail(&self, section: Section) -> Markup {
        let entry = |own: Section, href: String, name: &str, word: &str, key: &str, count: u64| {
            html! {
                li {
                    a href=(href) aria-current=[(own == section).then_some("page")] data-go=(key) {
                        (icon(name)) span { (word) }
                        @if count > 0 {
                            span.count data-key="rail-waiting" { (count) span.unseen { " wait for you" } }
                        }
                    }
                }
            }
        };
        if self.viewer.is_none() {
            return html! {};
        }
        let waiting = self.place.as_ref().map_or(0, |place| place.waiting);
        html! {
            nav.rail aria-label="Main" {
                ul {
                    @if self.place.is_some() {
                        (entry(Section::Overview, self.path("overview"), "overview", "Overview", "o", 0))
                        (entry(Section::Runs, self.path("runs"), "runs", "Runs", "r", 0))
                        (entry(Section::Approvals, self.path("approvals"), "approvals", "Approvals", "a", waiting))
                        (entry(Section::Policy, self.path("policy"), "policy", "Policy", "p", 0))
                        (entry(Section::Journal, self.path("journal"), "journal", "Journal", "j", 0))
                    } @else {
                        (entry(Section::Overview, "/".to_owned(), "overview", "Overview", "o", 0))
                    }
                    li.gap aria-hidden="true" {}
                    (entry(Section::Settings, "/settings".to_owned(), "settings", "Settings", "s", 0))
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        html! {
            footer.foot {
                @if let Some(place) = &self.place {
                    span #connection .connection data-state="still" { "as loaded" }
                    span {
                        "as of #" span #position { (text::grouped(place.position)) } ", "
                        (time::ago(&model::time::rfc3339(self.now), self.now))
                    }
                    button #hold .plain type="button" aria-pressed="false" hidden { "Pause updates" }
                }
                span.fill {}
                button.plain.help-open type="button" hidden { kbd { "?" } " keys" }
                span { "Aedile " (env!("CARGO_PKG_VERSION")) }
            }
        }
    }

    /// Pages and what the page itself offers, to be found by typing; filled and opened by the script.
    fn palette(&self) -> Markup {
        if self.viewer.is_none() {
            return html! {};
        }
        html! {
            dialog #palette aria-label="Go to" {
                form method="dialog" {
                    label.unseen for="palette-input" { "Go to a page, a run or an approval" }
                    input #palette-input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list"
                        aria-autocomplete="list" autocomplete="off" spellcheck="false"
                        placeholder="Go to a page, a run or an approval";
                    ul #palette-list role="listbox" aria-label="Results" {}
                }
            }
        }
    }
}

/// Nothing is evaluated, nothing is styled inline, nothing is asked of others, and the browser's history keeps no page.
const HTMX_CONFIG: &str = r#"{"allowEval":false,"includeIndicatorStyles":false,"selfRequestsOnly":true,"historyCacheSize":0,"responseHandling":[{"code":"[23]..","swap":true},{"code":"422","swap":true},{"code":"...","swap":false,"error":true}]}"#;

/// Types of records, which the browser has to name to hear them.
fn kinds() -> String {
    journal::Event::kinds().collect::<Vec<_>>().join(" ")
}

fn topics(live: Live<'_>) -> Option<String> {
    match live {
        Live::Never => None,
        Live::Types(types) => Some(types.to_owned()),
        Live::Stream(stream) => Some(format!("approval. @{stream}")),
    }
}

/// The choice of theme, which the script shows: without it, pages follow the system.
pub(super) fn theme() -> Markup {
    html! {
        fieldset.theme hidden {
            legend.label { "Theme" }
            @for (value, word) in [("system", "System"), ("light", "Light"), ("dark", "Dark")] {
                label { input type="radio" name="theme" value=(value); span { (word) } }
            }
        }
    }
}

/// What the keys do.
fn help() -> Markup {
    const KEYS: &[(&str, &str)] = &[
        ("/", "to the filter"),
        ("j  k", "next and previous row"),
        ("Enter", "open the row"),
        ("g o", "Overview"),
        ("g r", "Runs"),
        ("g a", "Approvals"),
        ("g p", "Policy"),
        ("g j", "Journal"),
        ("g s", "Settings"),
        ("Ctrl K", "go to anything"),
        ("?", "this list"),
        ("Esc", "close"),
    ];
    html! {
        dialog #help aria-labelledby="help-title" {
            form method="dialog" {
                h2 #help-title { "Keyboard" }
                dl.keys {
                    @for (keys, what) in KEYS {
                        div { dt { @for key in keys.split_whitespace() { kbd { (key) } " " } } dd { (what) } }
                    }
                }
                p.note { "No key changes anything by itself." }
                button type="submit" { "Close" }
            }
        }
    }
}

/// A page for somebody who is not signed in: only a heading and its content in the middle.
pub fn outside(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                meta name="color-scheme" content="light dark";
                title { (text::line(title)) " \u{b7} Aedile" }
                link rel="icon" type="image/svg+xml" href=(assets::path(assets::ICON));
                link rel="stylesheet" href=(assets::path(assets::STYLE));
                script src=(assets::path(assets::THEME)) {}
            }
            body.outside {
                (sprite())
                main #main {
                    p.brand { svg.mark aria-hidden="true" { use href="#i-mark" {} } span { "Aedile" } }
                    (content)
                }
                footer.foot { span { "Aedile " (env!("CARGO_PKG_VERSION")) } }
            }
        }
    }
}
