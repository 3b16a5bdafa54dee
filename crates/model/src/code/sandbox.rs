//! E05: WASM actions.

codes! {
    BAD_COMPONENT = "E0501", Failed, "the component cannot be loaded";
    DIGEST_MISMATCH = "E0502", Failed, "the component is not the one that was pinned";
    MISSING_CAPABILITY = "E0503", Denied, "the action wants a capability the project does not grant";
    OUT_OF_TIME = "E0504", Failed, "the action ran longer than its limit";
    OUT_OF_MEMORY = "E0505", Failed, "the action wanted more memory than its limit";
    TRAPPED = "E0506", Failed, "the action crashed";
    OUTPUT_TOO_LARGE = "E0507", Failed, "the action's output is larger than the limit";
    BAD_OUTPUT = "E0508", Failed, "the action's output is not what it promised";
    UNKNOWN_ACTION = "E0509", Usage, "no action of that name and version is in the catalog";
    ACTION_FAILED = "E0510", Failed, "the action reported a failure";
    HOST_NOT_GRANTED = "E0511", Denied, "the action asked for a host or method the project does not grant";
    OUT_OF_BUDGET = "E0512", Failed, "the action used up one of its call's budgets";
    BAD_INPUT = "E0513", Usage, "the action's input is not JSON, or larger than the limit";
    SANDBOX_BUSY = "E0514", Failed, "no place in the sandbox became free in time";
    SANDBOX_SETUP = "E0515", Failed, "the sandbox cannot be set up";
    BAD_GRANT = "E0516", Usage, "the grant or limit is not valid";
    SERVICE_FAILED = "E0517", Failed, "a service the action used did not answer";
}
