//! The service user and its key.

use super::admin::{Admin, File};
use super::error::OnboardError;

/// Longest name of a user, as `useradd(8)` has it.
const NAME_MAX: usize = 32;
const PURPOSE: &str = "to create users";

/// A user of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// Its home.
    pub home: String,
}

/// Refuses names that cannot be a service user's, before anything is sent.
///
/// # Errors
/// Nothing that `useradd` would not take by default, and not root, which keys and sudo rights of its own make no safer.
pub fn check_account(name: &str) -> Result<(), OnboardError> {
    let bad = |why| Err(OnboardError::BadAccount { name: name.to_owned(), why });
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    let rest = |c: char| first(c) || c.is_ascii_digit() || c == '-';
    if name == "root" {
        return bad("root needs no onboarding, and everything done would be done as root");
    }
    if name.len() > NAME_MAX || !name.starts_with(first) || !name.chars().all(rest) {
        return bad("up to 32 of a-z, 0-9, _ and -, beginning with a letter or _");
    }
    Ok(())
}

/// Looks for a user in the host's `/etc/passwd`.
///
/// # Errors
/// The file cannot be read, or its line is damaged.
pub async fn find(admin: &Admin, name: &str) -> Result<Option<Account>, OnboardError> {
    let text = admin.text("/etc/passwd").await?.unwrap_or_default();
    let Some(line) = text.lines().find(|line| line.split(':').next() == Some(name)) else { return Ok(None) };
    let fields: Vec<&str> = line.split(':').collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
    match (number(2), number(3), fields.get(5)) {
        (Some(uid), Some(gid), Some(home)) if home.starts_with('/') => {
            let home = home.trim_end_matches('/').to_owned();
            Ok(Some(Account { name: name.to_owned(), uid, gid, home }))
        }
        _ => Err(admin.refused(format!("the line of {name} in /etc/passwd cannot be read"))),
    }
}

/// Creates a user with a home and a shell, without any password that could be used. One that is there stays as it is.
///
/// # Errors
/// The host has neither `useradd` nor `adduser`, or they refuse.
pub async fn create(admin: &Admin, name: &str) -> Result<Account, OnboardError> {
    if let Some(account) = find(admin, name).await? {
        return Ok(account);
    }
    // `*` is what no password hashes to; the usual `!` means locked, and sshd without PAM lets no locked user in.
    let args = ["--create-home", "--shell", "/bin/sh", "--password", "*", name];
    match admin.run("useradd", &args, &[]).await? {
        Some(ran) if ran.good => {}
        Some(ran) => return Err(admin.refused(format!("useradd failed: {}", ran.said))),
        None => {
            admin.must("adduser", &["-D", "-s", "/bin/sh", name], &[], PURPOSE).await?;
            let line = format!("{name}:*\n");
            admin.must("chpasswd", &["-e"], line.as_bytes(), PURPOSE).await?;
        }
    }
    let missing = || admin.refused(format!("{name} is not in /etc/passwd after it was created"));
    find(admin, name).await?.ok_or_else(missing)
}

/// Removes a user; its home stays. Says whether it was there.
///
/// # Errors
/// Something of the user still runs, or the host has neither `userdel` nor `deluser`.
pub async fn remove(admin: &Admin, name: &str) -> Result<bool, OnboardError> {
    if find(admin, name).await?.is_none() {
        return Ok(false);
    }
    match admin.run("userdel", &[name], &[]).await? {
        Some(ran) if ran.good => {}
        Some(ran) => return Err(admin.refused(format!("userdel failed: {}", ran.said))),
        None => {
            admin.must("deluser", &[name], &[], "to remove users").await?;
        }
    }
    Ok(true)
}

fn keys(account: &Account) -> String {
    format!("{}/.ssh/authorized_keys", account.home)
}

/// Kind and body of a public key, without its comment.
fn body(key: &str) -> (&str, &str) {
    let mut words = key.split_whitespace();
    (words.next().unwrap_or_default(), words.next().unwrap_or_default())
}

/// Whether a line is about the key, with or without options before it.
fn names(line: &str, key: &str) -> bool {
    let (kind, data) = body(key);
    let words: Vec<&str> = line.split_whitespace().collect();
    !line.trim_start().starts_with('#') && words.windows(2).any(|pair| pair == [kind, data])
}

/// The file with the key, if it was not there.
fn with_key(text: &str, key: &str) -> Option<String> {
    if text.lines().any(|line| names(line, key)) {
        return None;
    }
    let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    Some(format!("{text}{separator}{key}\n"))
}

/// The file without the key, if it was there as onboarding writes it; a line with options is somebody else's.
fn without_key(text: &str, key: &str) -> Option<String> {
    let ours = |line: &&str| body(line) == body(key);
    text.lines().any(|line| ours(&line)).then(|| {
        text.split_inclusive('\n').filter(|line| !ours(&line.trim_end_matches('\n'))).collect::<String>()
    })
}

/// Whether a user can log in with a key, as far as its own file says.
///
/// # Errors
/// The file cannot be read.
pub async fn has_key(admin: &Admin, account: &Account, key: &str) -> Result<bool, OnboardError> {
    let text = admin.text(&keys(account)).await?.unwrap_or_default();
    Ok(text.lines().any(|line| names(line, key)))
}

/// Lets a user log in with a key: directory, file, owner and modes are such that sshd takes them. Says whether anything
/// changed.
///
/// # Errors
/// A symbolic link is in the way, or the file changed meanwhile.
pub async fn add_key(admin: &Admin, account: &Account, key: &str) -> Result<bool, OnboardError> {
    let owner = (account.uid, account.gid);
    let directory = format!("{}/.ssh", account.home);
    let made = admin.directory(&directory, 0o700, owner).await?;
    let path = keys(account);
    let before = admin.text(&path).await?;
    let text = before.clone().unwrap_or_default();
    let text = with_key(&text, key).unwrap_or(text);
    let written = admin
        .write(File {
            path: &path,
            content: text.as_bytes(),
            mode: Some(0o600),
            owner: Some(owner),
            before: before.as_deref().map(str::as_bytes),
        })
        .await?;
    if made || written {
        // where SELinux rules, sshd may read such files by their label only; elsewhere there is no such program
        admin.run("restorecon", &["-R", &directory], &[]).await?;
    }
    Ok(made || written)
}

/// Takes a key away. Says whether it was there.
///
/// # Errors
/// The file cannot be read or written.
pub async fn remove_key(admin: &Admin, account: &Account, key: &str) -> Result<bool, OnboardError> {
    let path = keys(account);
    let Some(before) = admin.text(&path).await? else { return Ok(false) };
    let Some(text) = without_key(&before, key) else { return Ok(false) };
    if text.is_empty() {
        return admin.remove(&path).await;
    }
    let (content, before) = (text.as_bytes(), Some(before.as_bytes()));
    admin.write(File { path: &path, content, mode: None, owner: None, before }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAone aedile";

    #[test]
    fn only_names_that_useradd_takes_are_service_users() {
        for good in ["froyo", "_aedile", "deploy-2"] {
            assert!(check_account(good).is_ok(), "{good}");
        }
        let long = "a".repeat(33);
        for bad in ["root", "", "-x", "2x", "Froyo", "a b", "a\nb", "a/b", "a:b", long.as_str()] {
            assert!(matches!(check_account(bad), Err(OnboardError::BadAccount { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_added_once_and_other_lines_stay() {
        let before = "# mine\nssh-rsa AAAAtwo me\nfrom=\"10.0.0.1\" ssh-ed25519 AAAAthree";
        let with = with_key(before, KEY).unwrap();
        assert_eq!(with, format!("{before}\n{KEY}\n"));
        assert_eq!(with_key(&with, "ssh-ed25519 AAAAone other comment"), None);
        assert_eq!(with_key(before, "ssh-ed25519 AAAAthree"), None, "a key with options is there");
        assert_eq!(without_key(&with, KEY).unwrap(), format!("{before}\n"));
        assert_eq!(without_key(before, "ssh-ed25519 AAAAthree"), None, "its options are somebody else's");
        assert_eq!(with_key("#ssh-ed25519 AAAAone\n", KEY).unwrap().lines().count(), 2);
    }
}
