//! E06: calls to other services, and the machine.

codes! {
    UNREACHABLE = "E0601", Failed, "the service cannot be reached";
    REFUSED = "E0602", Failed, "the service answered with an error";
    UNAUTHENTICATED = "E0603", Failed, "the service did not accept the credentials";
    BAD_RESPONSE = "E0604", Failed, "the response cannot be understood";
    RESPONSE_TOO_LARGE = "E0605", Failed, "the response is larger than the limit";
    CALL_TIMEOUT = "E0606", Failed, "the call took longer than its limit";
    NO_SECRET = "E0607", Usage, "a secret cannot be found";
    PROGRAM_FAILED = "E0608", Failed, "the program exited with an error";
    PROGRAM_MISSING = "E0609", Failed, "the program cannot be started";
    BAD_OPENAPI = "E0610", Failed, "the OpenAPI document or operation cannot be used";
    BAD_CALL = "E0611", Usage, "the call's input is wrong";
    FORBIDDEN_HOST = "E0612", Denied, "calls to this host are not allowed";
    SECRET_EXPOSED = "E0613", Usage, "a secret would end up where others can read it";
    NOT_DELIVERED = "E0614", Failed, "a notification could not be delivered";
    PROGRAM_LIMIT = "E0615", Failed, "the program reached a limit and was stopped";
    BAD_SECRET_KEY = "E0616", Usage, "a key for encrypted secrets cannot be used";
}
