//! E00: usage, projects, files.

codes! {
    USAGE = "E0001", Usage, "the command line is wrong";
    NO_PROJECT = "E0002", Usage, "there is no Aedile project here";
    PROJECT_EXISTS = "E0003", Usage, "there is already a project here";
    UNREADABLE = "E0004", Usage, "a file cannot be read";
    UNWRITABLE = "E0005", Failed, "a file cannot be written";
    TOO_LARGE = "E0006", Usage, "an input is larger than the limit";
    BAD_PROJECT = "E0007", Usage, "the project's own files are wrong";
    NOT_FOUND = "E0008", Failed, "nothing is known by that name";
    AMBIGUOUS = "E0009", Usage, "the shortened id means more than one thing";
    NO_PROMPT = "E0010", Usage, "a question would have to be asked and there is no terminal";
    DECLINED = "E0011", Denied, "the answer was no";
    INTERNAL = "E0070", Internal, "Aedile did something it never should";
}
