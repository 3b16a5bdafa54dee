//! Pages for what cannot be shown, in the same frame as everything else.

use maud::{Markup, html};

use super::frame::{Frame, Head, Section};
use super::parts;
use super::text;

/// A problem as a page.
pub fn page(frame: &Frame, problem: &api::Problem) -> Markup {
    let (title, words, name) = match problem.status {
        401 => ("Not signed in", "Sign in to see this page.", "user"),
        403 => (
            "Not permitted",
            "You may look here, but not do this. Whoever administers the project gives permissions in access.yaml.",
            "stop",
        ),
        404 => ("Not found", "There is no such page, or nothing by that name that you may see.", "search"),
        409 => ("Too late", "Something happened in between. Look at it again, then decide again.", "clock"),
        429 => ("Too many requests", "Wait a moment, then try again.", "clock"),
        503 => {
            ("Not ready", "The server is starting, stopping or very busy. Try again in a moment.", "clock")
        }
        _ => ("Something went wrong", "Nothing was changed that is not in the journal.", "warn"),
    };
    let content = html! {
        (parts::heading(&[], &html! { (title) }, &html! {}))
        div.empty {
            (super::icons::icon(name))
            p { (words) }
            @if let Some(detail) = &problem.detail { p { strong { (text::paragraph(detail)) } } }
            @for cause in &problem.causes { p.note { "caused by: " (text::line(cause)) } }
            @if let Some(hint) = &problem.hint { p.command { code data-copy { (text::line(hint)) } } }
            p {
                @if problem.status == 401 { a.button.primary href="/login" { "Sign in" } }
                @else if frame.place.is_some() { a.button href=(frame.path("overview")) { "To the overview" } }
                @else { a.button href="/" { "To the beginning" } }
            }
            p.note {
                @if let Some(code) = &problem.code { "error " (text::line(code)) " \u{b7} " }
                (problem.status)
                @if let Some(request) = &problem.request { " \u{b7} request " code { (text::line(request)) } }
            }
        }
    };
    frame.page(&Head::still(title, Section::None), &content)
}

/// A problem as a page of an address that nothing is at, whoever asks.
pub fn nowhere(problem: &api::Problem) -> Markup {
    super::outside(
        "Not found",
        &html! {
            h1 { "Not found" }
            p { (text::line(problem.detail.as_deref().unwrap_or(&problem.title))) "." }
            p { a.button href="/" { "To the beginning" } }
        },
    )
}

/// The beginning, for somebody who may see several environments, or none.
pub fn choose(frame: &Frame) -> Markup {
    let content = html! {
        (parts::heading(&[], &html! { "Environments" }, &html! {}))
        @if frame.projects.is_empty() {
            (parts::empty(parts::Empty::Forbidden {
                what: "see any environment of this server",
                who: "Whoever administers a project gives you a role in its access.yaml.",
            }))
        }
        @for project in &frame.projects {
            section {
                h2 { (text::line(&project.name)) }
                ul.cards {
                    @for environment in &project.environments {
                        li {
                            span.env.prod[environment.production] {
                                (super::icons::icon(if environment.production { "warn" } else { "dot" }))
                                (text::line(&environment.name))
                                @if environment.production && environment.name != "production" { span.kind { "production" } }
                            }
                            div.grow { p.note { "you may " (text::enumerate(&environment.may, "and")) } }
                            a.button.open href=(format!("/{}/{}/overview", text::encoded(&project.name), text::encoded(&environment.name))) {
                                "Open" span.unseen { " " (text::line(&environment.name)) }
                            }
                        }
                    }
                }
            }
        }
    };
    frame.page(&Head::still("Environments", Section::Overview), &content)
}
