//! E08: plans and resources.

codes! {
    BAD_RESOURCE = "E0801", Usage, "a resource is declared wrongly";
    UNKNOWN_NAME = "E0802", Usage, "a name in the configuration stands for nothing";
    DUPLICATE = "E0803", Usage, "two resources are the same one";
    CYCLE = "E0804", Usage, "resources depend on each other in a circle";
    NO_HOST = "E0805", Usage, "a resource matches no host";
    STALE = "E0806", Failed, "the plan is stale";
    BAD_PLAN = "E0807", Usage, "the plan file cannot be used";
    TAMPERED = "E0808", Unverified, "the plan is not the one its digest was taken of";
    LIMIT = "E0809", Usage, "the configuration is larger than the limit";
    NOT_APPLIED = "E0810", Failed, "some changes of the plan were not made";
    BLOCKED = "E0811", Failed, "a change is blocked";
    NOT_UNDOABLE = "E0812", Failed, "there is nothing that can be undone";
    HELD = "E0813", Failed, "another plan is being applied";
}
