//! Locking down sshd: keys only, and nobody locked out.

use futures_util::future::BoxFuture;

use super::admin::{Admin, File};
use super::error::OnboardError;
use crate::error::RemoteError;
use crate::limits::{ONBOARD_CALLS, ONBOARD_LOGINS, ONBOARD_PAUSE};

const MAIN: &str = "/etc/ssh/sshd_config";
const INCLUDED: &str = "/etc/ssh/sshd_config.d/*.conf";
/// Read before every other file of its directory, and the first value of a keyword is the one that counts.
const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-aedile.conf";
const BEGIN: &str = "# begin aedile onboard --lock-down";
const END: &str = "# end aedile onboard --lock-down";
const PURPOSE: &str = "to check sshd's configuration before it is put in place";
/// What the lock-down sets, as `sshd -T` shows it.
const SET: [(&str, &[&str]); 4] = [
    ("pubkeyauthentication", &["yes"]),
    ("passwordauthentication", &["no"]),
    ("kbdinteractiveauthentication", &["no"]),
    ("permitrootlogin", &["no", "without-password", "prohibit-password", "forced-commands-only"]),
];

/// Logs in with the key that is to remain, on a connection of its own; fails also when the host still offers passwords.
pub type Proof<'a> = dyn Fn() -> BoxFuture<'a, Result<(), Unproved>> + Send + Sync + 'a;

/// Why a proof did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproved {
    /// What went wrong.
    pub why: String,
    /// Whether somebody was there to be asked at all.
    pub answered: bool,
}

impl From<RemoteError> for Unproved {
    fn from(error: RemoteError) -> Self {
        let answered = !matches!(error, RemoteError::Unreachable { .. } | RemoteError::Timeout { .. });
        Self { why: error.to_string(), answered }
    }
}

/// Where the lock-down is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A file of its own.
    DropIn,
    /// At the top of the main file, where that includes no others.
    Main,
}

/// sshd's configuration as it is.
#[derive(Clone)]
struct Found {
    place: Place,
    main: String,
    drop_in: Option<String>,
}

impl Found {
    fn path(&self) -> &'static str {
        match self.place {
            Place::DropIn => DROP_IN,
            Place::Main => MAIN,
        }
    }

    fn before(&self) -> Option<&str> {
        match self.place {
            Place::DropIn => self.drop_in.as_deref(),
            Place::Main => Some(&self.main),
        }
    }
}

async fn look(admin: &Admin) -> Result<Found, OnboardError> {
    let missing = || admin.refused(format!("there is no {MAIN}; sshd is configured elsewhere"));
    let main = admin.text(MAIN).await?.ok_or_else(missing)?;
    let place = if includes_first(&main) { Place::DropIn } else { Place::Main };
    Ok(Found { place, main, drop_in: admin.text(DROP_IN).await? })
}

/// Whether a file of the directory is read before the main file says anything about what the lock-down sets.
fn includes_first(main: &str) -> bool {
    for line in main.lines() {
        let mut words = line.split_whitespace();
        let Some(keyword) = words.next().map(str::to_ascii_lowercase) else { continue };
        if keyword == "include" && words.any(|path| path.trim_matches('"') == INCLUDED) {
            return true;
        }
        let set = SET.iter().any(|(name, _)| *name == keyword);
        if set || keyword == "challengeresponseauthentication" || keyword == "match" {
            return false;
        }
    }
    false
}

/// What is written. What root may do is never made more than it is.
fn settings(root_login: &str) -> String {
    let root = match root_login {
        stricter @ ("no" | "forced-commands-only") => stricter,
        _ => "prohibit-password",
    };
    // the older name of KbdInteractiveAuthentication, which every version knows
    format!(
        "{BEGIN}\nPubkeyAuthentication yes\nPasswordAuthentication no\nChallengeResponseAuthentication no\n\
         PermitRootLogin {root}\n{END}\n"
    )
}

fn without_block(main: &str) -> String {
    let mut inside = false;
    let kept = main.split_inclusive('\n').filter(|line| {
        let line = line.trim_end();
        inside |= line == BEGIN;
        let drop = inside;
        inside &= line != END;
        !drop
    });
    kept.collect()
}

/// What differs from what the lock-down sets, in the words of `sshd -T`.
fn ineffective(shown: &str) -> Option<String> {
    SET.iter().find_map(|(name, wanted)| {
        let line = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        // a version that does not show a keyword does not have it
        let value = line?.trim();
        (!wanted.contains(&value)).then(|| format!("{name} {value}"))
    })
}

async fn effective(admin: &Admin, user: &str) -> Result<String, OnboardError> {
    let who = format!("user={user},host=localhost,addr=127.0.0.1");
    let ran = admin.must("sshd", &["-T", "-C", &who], &[], PURPOSE).await?;
    Ok(ran.stdout)
}

fn value<'a>(shown: &'a str, name: &str) -> Option<&'a str> {
    shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::trim)
}

/// Forbids passwords, and root to log in with one: checked by `sshd -t` before it is in place, read by `sshd -T` after, then
/// reloaded, and kept only if `proof` succeeds. Otherwise what was there before is put back and reloaded. Says whether
/// anything changed.
///
/// `admin`'s session stays open all the while: it is the way back. `users` are those whose rules are looked at.
///
/// # Errors
/// [`OnboardError::RolledBack`] when everything is as before; [`OnboardError::Stuck`] when it could not be put back.
pub async fn lock_down(admin: &Admin, users: &[&str], proof: &Proof<'_>) -> Result<bool, OnboardError> {
    let found = look(admin).await?;
    let shown = effective(admin, "root").await?;
    let settings = settings(value(&shown, "permitrootlogin").unwrap_or_default());
    let rest = without_block(&found.main);
    let whole = format!("{settings}{rest}");
    let text = if found.place == Place::DropIn { &settings } else { &whole };
    let rolled_back = |why: String| OnboardError::RolledBack { host: admin.host().to_owned(), why };
    let tested = admin.must("sshd", &["-t", "-f", "/dev/stdin"], whole.as_bytes(), PURPOSE).await;
    tested.map_err(|error| rolled_back(error.to_string()))?;
    let changed = write(admin, &found, text).await?;
    let Err(why) = take_effect(admin, users, proof).await else { return Ok(changed) };
    let back = async {
        put_back(admin, &found).await?;
        reload(admin).await
    };
    match back.await {
        Ok(()) => Err(rolled_back(why)),
        Err(then) => Err(OnboardError::Stuck { host: admin.host().to_owned(), why, then: then.to_string() }),
    }
}

async fn write(admin: &Admin, found: &Found, text: &str) -> Result<bool, OnboardError> {
    // a new file gets the usual mode, the main file keeps its own
    let mode = found.before().is_none().then_some(0o644);
    let before = found.before().map(str::as_bytes);
    admin
        .write(File { path: found.path(), content: text.as_bytes(), mode, owner: Some((0, 0)), before })
        .await
}

async fn put_back(admin: &Admin, found: &Found) -> Result<(), OnboardError> {
    match found.before() {
        None => admin.remove(found.path()).await?,
        Some(text) => {
            let content = text.as_bytes();
            admin.write(File { path: found.path(), content, mode: None, owner: None, before: None }).await?
        }
    };
    Ok(())
}

async fn take_effect(admin: &Admin, users: &[&str], proof: &Proof<'_>) -> Result<(), String> {
    let text = |error: OnboardError| error.to_string();
    admin.must("sshd", &["-t"], &[], PURPOSE).await.map_err(text)?;
    for user in users {
        let shown = effective(admin, user).await.map_err(text)?;
        if let Some(line) = ineffective(&shown) {
            return Err(format!(
                "`sshd -T` still has `{line}` for {user}; something in its configuration comes first"
            ));
        }
    }
    reload(admin).await.map_err(text)?;
    let (mut answers, mut calls) = (0, 0);
    loop {
        let Err(Unproved { why, answered }) = proof().await else { return Ok(()) };
        // a server that was told to read its configuration again starts anew: for a moment it still goes by the old one, and
        // then nobody listens
        let (tried, most) =
            if answered { (&mut answers, ONBOARD_LOGINS) } else { (&mut calls, ONBOARD_CALLS) };
        *tried += 1;
        if *tried >= most {
            return Err(format!("the login with the key does not work any more: {why}"));
        }
        admin.pause(ONBOARD_PAUSE).await;
    }
}

/// Takes the lock-down back: what was in its file before, or no file. Says whether anything changed.
///
/// # Errors
/// sshd refuses its configuration without it (then it stays), or cannot be told to read it again.
pub async fn unlock(admin: &Admin, before: Option<&str>) -> Result<bool, OnboardError> {
    let found = look(admin).await?;
    let rest = without_block(&found.main);
    let mut changed = false;
    if rest != found.main {
        admin.must("sshd", &["-t", "-f", "/dev/stdin"], rest.as_bytes(), PURPOSE).await?;
        let before = Some(found.main.as_bytes());
        let content = rest.as_bytes();
        changed |= admin.write(File { path: MAIN, content, mode: None, owner: None, before }).await?;
    }
    if found.drop_in.as_deref() != before {
        changed |= match before {
            None => admin.remove(DROP_IN).await?,
            Some(text) => {
                let content = text.as_bytes();
                admin.write(File { path: DROP_IN, content, mode: None, owner: None, before: None }).await?
            }
        };
    }
    if !changed {
        return Ok(false);
    }
    if let Err(error) = admin.must("sshd", &["-t"], &[], PURPOSE).await {
        // both files as they were
        put_back(admin, &Found { place: Place::Main, ..found.clone() }).await?;
        put_back(admin, &Found { place: Place::DropIn, ..found }).await?;
        return Err(error);
    }
    reload(admin).await?;
    Ok(true)
}

/// What is in the lock-down's own file; nothing when there is none.
///
/// # Errors
/// It cannot be read.
pub async fn current(admin: &Admin) -> Result<Option<String>, OnboardError> {
    admin.text(DROP_IN).await
}

/// Tells the running server to read its configuration again. Connections stay.
async fn reload(admin: &Admin) -> Result<(), OnboardError> {
    if admin.exists("/run/systemd/system").await? {
        for unit in ["ssh.service", "sshd.service"] {
            let active = admin.run("systemctl", &["is-active", "--quiet", unit], &[]).await?;
            if active.is_some_and(|ran| ran.good) {
                admin.must("systemctl", &["reload", unit], &[], "to reload sshd").await?;
                return Ok(());
            }
        }
        // a server for each connection reads it anyway
        return Ok(());
    }
    let shown = admin.must("sshd", &["-T"], &[], PURPOSE).await?.stdout;
    let file = value(&shown, "pidfile").unwrap_or("none");
    let pid = match file {
        "none" => None,
        file => admin.text(file).await?.and_then(|text| text.trim().parse::<u32>().ok()),
    };
    let Some(pid) = pid else {
        return Err(admin.refused(format!("sshd cannot be reloaded: no systemd, and no number in {file}")));
    };
    let name = admin.text(&format!("/proc/{pid}/comm")).await?.unwrap_or_default();
    if name.trim() != "sshd" {
        return Err(admin.refused(format!("sshd cannot be reloaded: {pid} of {file} is not sshd")));
    }
    admin.must("sh", &["-c", "kill -HUP \"$0\"", &pid.to_string()], &[], "to reload sshd").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_decides_where_it_is_written() {
        let include = "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\n";
        assert!(includes_first(include));
        assert!(includes_first(&format!("# PasswordAuthentication yes\nPort 22\n{include}")));
        for late in [
            "PasswordAuthentication yes\nInclude /etc/ssh/sshd_config.d/*.conf\n",
            "permitrootlogin yes\nInclude /etc/ssh/sshd_config.d/*.conf\n",
            "Match User x\nInclude /etc/ssh/sshd_config.d/*.conf\n",
            "Include /etc/ssh/other/*.conf\n",
            "",
        ] {
            assert!(!includes_first(late), "{late}");
        }
    }

    #[test]
    fn root_never_gets_more_than_it_had() {
        assert!(settings("yes").contains("PermitRootLogin prohibit-password\n"));
        assert!(settings("without-password").contains("PermitRootLogin prohibit-password\n"));
        assert!(settings("no").contains("PermitRootLogin no\n"));
        assert!(settings("forced-commands-only").contains("PermitRootLogin forced-commands-only\n"));
    }

    #[test]
    fn a_block_is_taken_out_and_the_rest_stays() {
        let main = "Port 22\nMatch User x\n  X11Forwarding no\n";
        let with = format!("{}{main}", settings("yes"));
        assert_eq!(without_block(&with), main);
        assert_eq!(without_block(main), main);
        assert_eq!(without_block(&format!("a\n{}b", settings("no"))), "a\nb");
    }

    #[test]
    fn what_does_not_take_effect_is_named() {
        let good = "port 22\npubkeyauthentication yes\npasswordauthentication no\nkbdinteractiveauthentication no\npermitrootlogin without-password\n";
        assert_eq!(ineffective(good), None);
        let bad = good.replace("passwordauthentication no", "passwordauthentication yes");
        assert_eq!(ineffective(&bad).as_deref(), Some("passwordauthentication yes"));
    }
}
