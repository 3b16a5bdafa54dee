//! A Debian system of its own, booted in QEMU from Debian's packages: real systemd, sshd with PAM, sudo, apt, and a kernel that
//! is started again in the middle of an apply.
//!
//! It is started where KVM really works, and everywhere with `AEDILE_TEST_GUEST=tcg`, slowly (CONTRIBUTING.md). Where it is not
//! started a test says why.

mod accelerator;
mod converging;
mod onboarding;
mod rebooting;
mod system;
