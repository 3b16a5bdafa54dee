//! E02: policy and approvals.

codes! {
    DENIED = "E0201", Denied, "policy denies it";
    BAD_POLICY = "E0202", Usage, "the policy does not compile";
    UNEVALUABLE = "E0203", Denied, "the policy cannot be evaluated, so the answer is no";
    NOT_APPROVER = "E0204", Failed, "you do not hold a role that may decide this";
    OWN_REQUEST = "E0205", Failed, "the requester cannot approve";
    ALREADY_DECIDED = "E0206", Failed, "the approval is already decided";
    VOID = "E0207", Failed, "what was asked has changed, so the approval is void";
    NO_OVERRIDE = "E0208", Failed, "this level allows no emergency override";
    WAITING = "E0209", Waiting, "waiting for approval";
    TEST_FAILED = "E0210", Failed, "a policy test failed";
    APPROVAL_DENIED = "E0211", Denied, "an approver said no, or nobody decided in time";
    ALREADY_VOTED = "E0212", Failed, "you have already decided at this level";
}
