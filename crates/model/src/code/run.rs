//! E04: runs.

codes! {
    FAILED = "E0401", Failed, "the run failed";
    IN_DOUBT = "E0402", Failed, "a step may or may not have happened, and a person must say";
    NOT_RUNNING = "E0403", Failed, "the run is not in a state that allows this";
    CANCELLED = "E0404", Failed, "the run was cancelled";
    DEFINITION_CHANGED = "E0405", Failed, "the definition is not the one the run began with";
    NOT_PERFORMABLE = "E0406", Failed, "nothing here can perform this kind of action";
    LIMIT = "E0407", Failed, "the run reached a limit";
    OWNED_ELSEWHERE = "E0408", Failed, "another process is carrying out the run";
    DIVERGED = "E0409", Internal, "a replayed run does not follow its own journal";
    WAITING = "E0410", Waiting, "the run waits and was not waited for";
}
