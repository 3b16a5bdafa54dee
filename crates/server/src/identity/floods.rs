//! Failed logins: how many there may be from one address and for one account, and which of them are recorded.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use model::Principal;

use super::{IdentityError, limits};

/// A failure is forgotten after this time.
const FORGIVEN_AFTER: Duration = Duration::from_secs(6);

/// Counts failed logins. Whoever presents what is right is never counted and never kept out: somebody else's failures from the
/// same address must not lock anybody out.
pub(crate) struct Floods {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    accounts: DefaultKeyedRateLimiter<Principal>,
    sweeps: DefaultDirectRateLimiter,
    records: DefaultDirectRateLimiter,
    unrecorded: AtomicU64,
}

impl Default for Floods {
    fn default() -> Self {
        let refill = |burst: NonZeroU32| {
            Quota::with_period(FORGIVEN_AFTER)
                .map_or_else(|| Quota::per_minute(burst), |quota| quota.allow_burst(burst))
        };
        Self {
            addresses: RateLimiter::keyed(refill(limits::FAILURES_PER_ADDRESS)),
            accounts: RateLimiter::keyed(refill(limits::FAILURES_PER_ACCOUNT)),
            sweeps: RateLimiter::direct(Quota::per_second(NonZeroU32::MIN)),
            records: RateLimiter::direct(Quota::per_minute(limits::REFUSALS_PER_MINUTE)),
            unrecorded: AtomicU64::new(0),
        }
    }
}

impl Floods {
    /// Counts a failure.
    ///
    /// # Errors
    /// There were too many.
    pub(crate) fn failed(
        &self,
        from: Option<IpAddr>,
        account: Option<&Principal>,
    ) -> Result<(), IdentityError> {
        let clock = DefaultClock::default();
        let too_many = |not_until: governor::NotUntil<_>| IdentityError::TooManyLogins {
            seconds: not_until.wait_time_from(clock.now()).as_secs() + 1,
        };
        self.make_room()?;
        if let Some(from) = from {
            self.addresses.check_key(&whole(from)).map_err(too_many)?;
        }
        if let Some(account) = account {
            self.accounts.check_key(account).map_err(too_many)?;
        }
        Ok(())
    }

    /// Forgets who has not failed of late. Where that makes no room, everybody who fails waits.
    fn make_room(&self) -> Result<(), IdentityError> {
        let full = || self.addresses.len().max(self.accounts.len()) >= limits::FAILURES_REMEMBERED;
        if full() && self.sweeps.check().is_ok() {
            self.addresses.retain_recent();
            self.accounts.retain_recent();
        }
        if full() { Err(IdentityError::TooManyLogins { seconds: FORGIVEN_AFTER.as_secs() }) } else { Ok(()) }
    }

    /// Whether one more refusal is recorded, and how many have not been since the last one that was.
    pub(crate) fn recorded(&self) -> Option<u64> {
        if self.records.check().is_ok() {
            return Some(self.unrecorded.swap(0, Ordering::Relaxed));
        }
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// What belongs to one subscriber: an address of IPv4, a /64 of IPv6.
fn whole(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let mut segments = six.segments();
            segments[4..].fill(0);
            IpAddr::V6(Ipv6Addr::from(segments))
        }
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_after_its_failures_and_others_do_not() {
        let floods = Floods::default();
        let fails = |address: &str| floods.failed(Some(address.parse().unwrap()), None).is_err();
        for _ in 0..limits::FAILURES_PER_ADDRESS.get() {
            assert!(!fails("2001:db8::1"));
        }
        assert!(fails("2001:db8::2"), "the same subscriber");
        assert!(!fails("2001:db8:0:1::2"));
        assert!(!fails("192.0.2.1"));
        let error = floods.failed(Some("2001:db8::1".parse().unwrap()), None).unwrap_err();
        assert!(matches!(error, IdentityError::TooManyLogins { seconds: 1..=7 }), "{error}");
    }

    #[test]
    fn an_account_waits_wherever_its_failures_come_from() {
        let floods = Floods::default();
        let maria = Principal::user("maria").unwrap();
        let mut refused = 0;
        for last in 0..40 {
            let from = IpAddr::from([192, 0, 2, last]);
            refused += u32::from(floods.failed(Some(from), Some(&maria)).is_err());
        }
        assert!(refused >= 15, "{refused}");
    }

    #[test]
    fn not_every_refusal_of_a_flood_is_recorded_and_the_rest_is_counted() {
        let floods = Floods::default();
        let recorded: Vec<u64> = (0..1_000).filter_map(|_| floods.recorded()).collect();
        assert!(recorded.len() < 60, "{}", recorded.len());
        let counted: u64 = recorded.iter().sum::<u64>() + floods.unrecorded.load(Ordering::Relaxed);
        assert_eq!(counted + recorded.len() as u64, 1_000);
    }
}
