//! `server` and `ui`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `server`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  aedile server                              serve this project to this machine
  aedile server --listen 0.0.0.0:8420 --tls self
  aedile server shop billing --state /var/lib/aedile")]
pub struct ServerArgs {
    /// Directories of the projects to serve; the one found from here when left out
    #[arg(value_name = "PROJECT")]
    pub projects: Vec<PathBuf>,
    /// How it is served.
    #[command(flatten)]
    pub serving: ServingArgs,
}

/// How it is served.
#[derive(Debug, Clone, Args)]
pub struct ServingArgs {
    /// File of settings; `server.yaml` in the server's directory when left out
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen at; port 0 is any free one [default: 127.0.0.1:8420]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// How to encrypt what is sent
    #[arg(long, value_name = "HOW")]
    pub tls: Option<TlsHow>,
    /// Something in front of the server encrypts, so it may be reached without encryption
    #[arg(long)]
    pub behind_proxy: bool,
    /// Start workflows by their schedules, as `aedile run --scheduled` does
    #[arg(long)]
    pub schedules: bool,
    /// Address that browsers use, where it is another one than the server's own
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Directory of the server's own state; below the first project's when left out
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// How to encrypt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsHow {
    /// With a certificate that is made here, for a first run; people compare its fingerprint
    #[value(name = "self")]
    SelfMade,
    /// Not at all, whatever the settings say
    Off,
}

/// Arguments of `ui`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  aedile ui                  open Operate as yourself
  aedile ui --as lea         as somebody whom access.yaml lets you act as")]
pub struct UiArgs {
    /// Act as this principal, where access.yaml allows that (actAs)
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub act_as: Option<String>,
    /// Print the address and open no browser
    #[arg(long)]
    pub print: bool,
    /// How it is served.
    #[command(flatten)]
    pub serving: ServingArgs,
}
