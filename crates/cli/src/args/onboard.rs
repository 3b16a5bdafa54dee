//! Arguments of `onboard`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `onboard`.
#[derive(Debug, Args)]
#[command(
    after_help = "Every step looks first and changes only what differs: the same command again finishes what was not done.\n\n\
                  Exit codes: 0 done, 1 a step failed, 2 cannot be asked for, 4 waiting for approval, 5 denied, or not the host that is known."
)]
pub struct OnboardArgs {
    /// Address of the host, or its name in the configuration
    pub host: String,
    /// Name of the host in the configuration; its address when left out
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Port of its sshd; 22 when left out
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Host of the configuration to go through; several in their order
    #[arg(long = "jump", value_name = "NAME")]
    pub jump: Vec<String>,
    /// The only host key to accept, as `ssh-keygen -lf` prints it; asked for when left out
    #[arg(long, value_name = "SHA256:..")]
    pub host_key: Option<String>,
    /// Who logs in first: root, or somebody who may become root by sudo
    #[arg(long, value_name = "USER", default_value = "root", help_heading = "First login")]
    pub user: String,
    /// Private key to log in with first; an agent and the usual keys when left out
    #[arg(long, value_name = "FILE", help_heading = "First login")]
    pub login_key: Option<PathBuf>,
    /// Ask for a password to log in with first, and for sudo
    #[arg(long, conflicts_with_all = ["password_stdin", "password_env"], help_heading = "First login")]
    pub ask_password: bool,
    /// Read that password from the first line of standard input
    #[arg(long, conflicts_with = "password_env", help_heading = "First login")]
    pub password_stdin: bool,
    /// Read that password from a variable of the environment
    #[arg(long, value_name = "VARIABLE", help_heading = "First login")]
    pub password_env: Option<String>,
    /// Service user to create, or to use if it is there
    #[arg(long, value_name = "NAME", default_value = "aedile", help_heading = "What is done")]
    pub account: String,
    /// Private key of the service user; one is made in .aedile/ENV/ssh when left out
    #[arg(long, value_name = "FILE", help_heading = "What is done")]
    pub key: Option<PathBuf>,
    /// Sudo rights of the service user, for example 'NOPASSWD: /usr/bin/systemctl'; none when left out
    #[arg(long, value_name = "RIGHTS", help_heading = "What is done")]
    pub sudo: Vec<String>,
    /// Forbid logins with a password, once a login with the key has been proved
    #[arg(long, help_heading = "What is done")]
    pub lock_down: bool,
    /// Label of the host in the configuration; those it has are kept when left out
    #[arg(long = "label", value_name = "NAME=VALUE", help_heading = "What is done")]
    pub labels: Vec<String>,
    /// Put back what there was before, and remove the record; the service user's home stays
    #[arg(long, conflicts_with_all = ["sudo", "lock_down", "labels", "key", "name"], help_heading = "What is done")]
    pub undo: bool,
    /// Set a variable of the configuration
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Say yes as these principals to what waits for approval
    #[arg(long, value_name = "PRINCIPAL")]
    pub approve_as: Vec<String>,
}
