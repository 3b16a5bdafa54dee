//! Sudo rights: one file of the service user's own, with exactly the rules asked for.

use super::admin::{Admin, File};
use super::error::OnboardError;

/// Where sudo takes rules from that are nobody's main file.
const DIRECTORY: &str = "/etc/sudoers.d";
const MAIN: &str = "/etc/sudoers";
const PURPOSE: &str = "to check sudo rights before they are written";
/// What sudo calls the ways a command may be run, see `sudoers(5)`.
const TAGS: [&str; 16] = [
    "EXEC",
    "NOEXEC",
    "FOLLOW",
    "NOFOLLOW",
    "INTERCEPT",
    "NOINTERCEPT",
    "LOG_INPUT",
    "NOLOG_INPUT",
    "LOG_OUTPUT",
    "NOLOG_OUTPUT",
    "MAIL",
    "NOMAIL",
    "NOPASSWD",
    "PASSWD",
    "SETENV",
    "NOSETENV",
];

/// Rights as they are asked for: `NOPASSWD: /usr/bin/systemctl`, with `(USER)` before it where that is not everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SudoRule {
    run_as: String,
    commands: String,
    everything: bool,
}

impl SudoRule {
    /// Reads one rule. It has to be one: nothing in it can begin another rule, a comment or a definition.
    ///
    /// # Errors
    /// [`OnboardError::BadSudo`] with what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, OnboardError> {
        rule(text).map_err(|why| OnboardError::BadSudo { text: text.escape_debug().to_string(), why })
    }

    /// The line of a user.
    pub fn line(&self, user: &str) -> String {
        format!("{user} ALL=({}) {}", self.run_as, self.commands)
    }

    /// Whether it lets everything be run as root without a password.
    pub fn is_everything_without_password(&self) -> bool {
        let all = ["ALL", "root", "ALL:ALL", "root:ALL", "root:root", "ALL:root"];
        self.everything && all.contains(&self.run_as.as_str())
    }
}

fn rule(text: &str) -> Result<SudoRule, String> {
    if let Some(bad) = text.chars().find(|c| c.is_control() || (!c.is_ascii() && !c.is_alphanumeric())) {
        return Err(format!("{bad:?} cannot be part of a rule"));
    }
    let text = text.trim();
    let (run_as, commands) = match text.strip_prefix('(') {
        None => ("ALL", text),
        Some(rest) => rest.split_once(')').ok_or("a `)` is missing")?,
    };
    let named = |c: char| c.is_ascii_alphanumeric() || "_.-:, %".contains(c);
    if run_as.is_empty() || !run_as.chars().all(named) {
        return Err(format!("`({run_as})` does not name users to run commands as"));
    }
    let commands = commands.trim();
    let mut without_password = false;
    let mut everything = false;
    for one in split(commands)? {
        let command = tagged(one, &mut without_password)?;
        everything |= without_password && command == "ALL";
        if command != "ALL" {
            check_command(command)?;
        }
    }
    Ok(SudoRule { run_as: run_as.to_owned(), commands: commands.to_owned(), everything })
}

/// The commands of a list; an escaped comma is part of one.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let (mut from, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            '#' => return Err("`#` begins a comment; write `\\#`".to_owned()),
            _ => {}
        }
    }
    if escaped {
        return Err("it ends in a backslash, which would make the next line part of it".to_owned());
    }
    parts.push(text[from..].trim());
    Ok(parts)
}

/// Takes the tags off a command. They hold for the commands after it, too.
fn tagged<'a>(mut text: &'a str, without_password: &mut bool) -> Result<&'a str, String> {
    while let Some((tag, rest)) = text.split_once(':') {
        let tag = tag.trim();
        if tag.is_empty() || !tag.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            break;
        }
        match tag {
            "NOPASSWD" => *without_password = true,
            "PASSWD" => *without_password = false,
            known if TAGS.contains(&known) => {}
            other => return Err(format!("`{other}:` is not a tag of sudo")),
        }
        text = rest.trim();
    }
    Ok(text)
}

fn check_command(command: &str) -> Result<(), String> {
    let path = command.strip_prefix('!').unwrap_or(command).trim_start();
    if !path.starts_with('/') {
        return Err(format!("`{command}` is not a command by its whole path, nor ALL"));
    }
    let mut escaped = false;
    for c in path.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' | '=' => return Err(format!("`{c}` in `{command}` has to be written `\\{c}`")),
            _ => {}
        }
    }
    Ok(())
}

/// The file of a user's rights.
pub fn path(account: &str) -> String {
    format!("{DIRECTORY}/aedile-{account}")
}

/// The content of that file.
fn content(account: &str, rules: &[SudoRule]) -> String {
    let mut text = "# Written by aedile onboard, which also takes it back.\n".to_owned();
    for rule in rules {
        text.push_str(&rule.line(account));
        text.push('\n');
    }
    text
}

/// What is in the file of a user's rights; nothing when there is none.
///
/// # Errors
/// It cannot be read.
pub async fn current(admin: &Admin, account: &str) -> Result<Option<String>, OnboardError> {
    admin.text(&path(account)).await
}

/// Makes the rules the whole of the user's file, or removes the file when there are none. `visudo` checks them before they
/// are in place, and everything sudo reads afterwards; if that finds fault, what was there before is put back. Says whether
/// anything changed.
///
/// # Errors
/// `visudo` refuses, or sudo does not read the directory.
pub async fn install(admin: &Admin, account: &str, rules: &[SudoRule]) -> Result<bool, OnboardError> {
    if rules.is_empty() {
        return put(admin, account, None).await;
    }
    let asked = rules.iter().map(|rule| rule.commands.as_str()).collect::<Vec<_>>().join(", ");
    put(admin, account, Some(&content(account, rules))).await.map_err(|error| match error {
        OnboardError::BadSudo { why, .. } => OnboardError::BadSudo { text: asked, why },
        other => other,
    })
}

/// Puts back what was there before.
///
/// # Errors
/// As [`install`].
pub async fn restore(admin: &Admin, account: &str, before: Option<&str>) -> Result<bool, OnboardError> {
    put(admin, account, before).await
}

async fn put(admin: &Admin, account: &str, text: Option<&str>) -> Result<bool, OnboardError> {
    let path = path(account);
    let Some(text) = text else { return admin.remove(&path).await };
    let main = admin.text(MAIN).await?;
    if !main.as_deref().is_some_and(reads_directory) {
        let why = format!("{MAIN} does not read {DIRECTORY}; add the line: @includedir {DIRECTORY}");
        return Err(admin.refused(why));
    }
    // sudo passes over names with a dot
    let candidate = format!("{path}.new");
    let root = Some((0, 0));
    let file = |path| File { path, content: text.as_bytes(), mode: Some(0o440), owner: root, before: None };
    admin.write(file(&candidate)).await?;
    let checked = admin.run("visudo", &["-cf", &candidate], &[]).await;
    admin.remove(&candidate).await?;
    let missing =
        OnboardError::Missing { host: admin.host().to_owned(), program: "visudo", purpose: PURPOSE };
    let checked = checked?.ok_or(missing)?;
    if !checked.good {
        let why = format!("visudo says: {}", checked.said.replace(&candidate, "line"));
        return Err(OnboardError::BadSudo { text: text.to_owned(), why });
    }
    let before = admin.text(&path).await?;
    let changed = admin.write(file(&path)).await?;
    let whole = admin.must("visudo", &["-c"], &[], PURPOSE).await;
    if let (Err(error), true) = (whole, changed) {
        match &before {
            None => admin.remove(&path).await?,
            Some(before) => admin.write(File { content: before.as_bytes(), ..file(&path) }).await?,
        };
        return Err(error);
    }
    Ok(changed)
}

/// Whether sudo reads the directory.
fn reads_directory(main: &str) -> bool {
    main.lines().any(|line| {
        let mut words = line.split_whitespace();
        let include = matches!(words.next(), Some("@includedir" | "#includedir"));
        include && words.next().is_some_and(|path| path.trim_matches('"').trim_end_matches('/') == DIRECTORY)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<String, String> {
        rule(text).map(|rule| rule.line("froyo"))
    }

    #[test]
    fn infrastructure_41_the_rule_is_what_was_asked_for_and_nothing_else() {
        let rules = [SudoRule::parse("NOPASSWD: /usr/bin/systemctl").unwrap()];
        let text = content("froyo", &rules);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, ["froyo ALL=(ALL) NOPASSWD: /usr/bin/systemctl"]);
        assert!(!rules[0].is_everything_without_password());
    }

    #[test]
    fn rules_are_read_as_sudoers_has_them() {
        assert_eq!(line(" /bin/a ").as_deref(), Ok("froyo ALL=(ALL) /bin/a"));
        assert_eq!(
            line("(www-data:adm) NOPASSWD: NOEXEC: /bin/a -x, !/bin/b").as_deref(),
            Ok("froyo ALL=(www-data:adm) NOPASSWD: NOEXEC: /bin/a -x, !/bin/b")
        );
        assert!(line("NOPASSWD: /bin/date -d 12\\:00\\, now").is_ok());
        let everything = |text| rule(text).unwrap().is_everything_without_password();
        assert!(everything("NOPASSWD: ALL") && everything("(root) NOPASSWD: /bin/a, ALL"));
        assert!(!everything("ALL") && !everything("NOPASSWD: /bin/a, PASSWD: ALL"));
        assert!(!everything("(deploy) NOPASSWD: ALL"));
    }

    #[test]
    fn what_could_become_more_than_one_rule_is_refused() {
        let bad = [
            "",
            "NOPASSWD:",
            "systemctl",
            "NOPASSWD: systemctl",
            "NOPASWD: /bin/a",
            "NOPASSWD: /bin/a\nfroyo ALL=(ALL) ALL",
            "NOPASSWD: /bin/a : web = ALL",
            "NOPASSWD: /bin/a \\",
            "NOPASSWD: /bin/a # ALL",
            "(ALL NOPASSWD: /bin/a",
            "() /bin/a",
            "(a=b) /bin/a",
            "/bin/a,",
            "/bin/a\0",
            "/bin/\u{202e}a",
        ];
        for text in bad {
            assert!(line(text).is_err(), "{text:?}: {:?}", line(text));
        }
    }

    #[test]
    fn the_directory_is_read_when_sudoers_says_so() {
        for good in ["@includedir /etc/sudoers.d", "Defaults x\n#includedir  /etc/sudoers.d/\n"] {
            assert!(reads_directory(good), "{good}");
        }
        for bad in ["", "# @includedir /etc/sudoers.d", "@include /etc/sudoers.d", "@includedir /etc/other"] {
            assert!(!reads_directory(bad), "{bad}");
        }
    }
}
