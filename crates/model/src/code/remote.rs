//! E09: reaching targets.

codes! {
    UNREACHABLE = "E0901", Failed, "a host cannot be reached";
    TIMEOUT = "E0902", Failed, "a host did not answer in time";
    HOST_KEY_CHANGED = "E0903", Denied, "a host key has changed";
    HOST_KEY_UNKNOWN = "E0904", Denied, "a host key is not known";
    NOT_ACCEPTED = "E0905", Failed, "a host did not accept the login";
    BAD_KEY = "E0906", Usage, "a key or agent cannot be used";
    CUT = "E0907", Failed, "the connection to a host was cut";
    SUDO_REFUSED = "E0908", Failed, "a host did not grant sudo";
    NO_RUNNER = "E0909", Failed, "there is no runner for the target's architecture";
    RUNNER_FILE = "E0910", Failed, "the runner's file cannot be used";
    UPLOAD = "E0911", Failed, "the runner cannot be put on a host";
    PROTOCOL = "E0912", Failed, "the runner cannot be talked with";
    BAD_HOST = "E0913", Usage, "the description of a host cannot be used";
    COMMAND = "E0914", Failed, "a command was not carried out on a host";
    ONBOARD = "E0915", Failed, "a step of an onboarding was not carried out";
    ONBOARD_ASKED = "E0916", Usage, "what an onboarding is asked for cannot be";
    LOCK_DOWN = "E0917", Failed, "a host was not locked down";
    LOCK_DOWN_STUCK = "E0918", Failed, "a lock-down could not be taken back";
}
