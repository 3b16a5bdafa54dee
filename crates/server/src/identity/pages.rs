//! What people see before they are signed in: pure functions, plain forms, nothing that a script has to do.

use api::Problem;
use maud::{Markup, html};

/// What the login page shows.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// The name of the provider of identities, if there is one.
    pub provider: Option<String>,
    /// Where to go afterwards, a way on this server.
    pub next: Option<String>,
    /// Why the last attempt failed.
    pub problem: Option<Problem>,
}

/// What a setup page shows.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The link's secret, to be sent along.
    pub secret: String,
    /// What was typed the last time.
    pub name: String,
    /// Why the last attempt failed.
    pub problem: Option<Problem>,
}

/// Why the last attempt failed.
fn why(problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem {
            div.notice role="alert" {
                p { strong { (problem.title) } }
                @if let Some(detail) = &problem.detail { p { (detail) } }
                @for cause in &problem.causes { p.note { "caused by: " (cause) } }
                @if let Some(code) = &problem.code { p.note { "error " (code) } }
            }
        }
    }
}

fn hidden_next(next: Option<&str>) -> Markup {
    html! { @if let Some(next) = next { input type="hidden" name="next" value=(next); } }
}

/// The login page.
pub fn login(login: &Login) -> Markup {
    let query = login.next.as_ref().map(|next| {
        format!("?next={}", percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC))
    });
    html! {
        h1 { "Sign in" }
        (why(login.problem.as_ref()))
        @if let Some(provider) = &login.provider {
            p {
                a.button.primary href={ "/login/oidc" (query.unwrap_or_default()) } { "Sign in with " (provider) }
            }
            p.note { "or with a token:" }
        }
        form method="post" action="/login" {
            (hidden_next(login.next.as_deref()))
            label {
                span { "Token" }
                input type="password" name="token" required maxlength="128" autocomplete="off" spellcheck="false"
                    placeholder="aedile_\u{2026}" aria-describedby="how";
            }
            button type="submit" { "Sign in" }
        }
        p.note #how {
            "No token? On the server's machine, " code { "aedile ui" } " opens a page that signs you in. "
            "From elsewhere, ask an administrator for a link."
        }
    }
}

/// The page of a link that is still good. Looking at it does not use it: the button does.
pub fn link(account: &str, secret: &str) -> Markup {
    html! {
        h1 { "Sign in" }
        p { "This link signs you in as " strong { (account) } ", once." }
        form method="post" action="/login" {
            input type="hidden" name="link" value=(secret);
            button.primary type="submit" { "Sign in as " (account) }
        }
        p.note { "If that is not you, close this page and tell whoever sent you the link." }
    }
}

/// The page of the first administrator.
pub fn setup(setup: &Setup) -> Markup {
    html! {
        h1 { "Set up this server" }
        p { "Nobody administers this server yet. Choose your name, and you do." }
        (why(setup.problem.as_ref()))
        form method="post" action="/setup" {
            input type="hidden" name="link" value=(setup.secret);
            label {
                span { "Your name" }
                input type="text" name="name" value=(setup.name) required maxlength="64" pattern="[A-Za-z0-9_@+\\-][A-Za-z0-9._@+\\-]*"
                    autocomplete="username" autocapitalize="none" spellcheck="false" aria-describedby="name-form";
            }
            p.note #name-form {
                "Letters, digits and ._@+- as they are to stand in the journal, for example " code { "maria" }
                ". If access.yaml names you already, choose that name."
            }
            button.primary type="submit" { "Administer this server" }
        }
    }
}

/// The page of a link that opens nothing.
pub fn spent(problem: &Problem) -> Markup {
    html! {
        h1 { "This link opens nothing" }
        (why(Some(problem)))
        p { "A link is good once, and for a few minutes." }
        p { a.button href="/login" { "Sign in another way" } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Problem {
        serde_json::from_value(serde_json::json!({
            "type": "about:blank", "title": "it failed", "status": 401, "code": "E1202", "detail": "<script>"
        }))
        .unwrap()
    }

    fn all() -> Vec<String> {
        let given = Login {
            provider: Some("id.example.org".to_owned()),
            next: Some("/a?b=\"><script>".to_owned()),
            problem: Some(problem()),
        };
        let named =
            Setup { secret: "s".to_owned(), name: "\"><script>".to_owned(), problem: Some(problem()) };
        [login(&Login::default()), login(&given), link("user:maria", "s"), setup(&named), spent(&problem())]
            .map(Markup::into_string)
            .into()
    }

    #[test]
    fn nothing_is_inline_and_nothing_that_was_given_is_markup() {
        for page in all() {
            for bad in ["<script", "<style", " style=", " onclick", "javascript:", "http://", "https://"] {
                assert!(!page.contains(bad), "{bad} in {page}");
            }
            assert!(page.matches("<form").count() <= 1 && page.matches("<h1").count() == 1);
        }
    }

    #[test]
    fn every_field_has_a_label_and_secrets_are_sent_in_bodies() {
        for page in all() {
            let fields = page.matches("<input").count() - page.matches("type=\"hidden\"").count();
            assert_eq!(page.matches("<label").count(), fields);
            assert!(!page.contains("method=\"get\""));
        }
    }
}
