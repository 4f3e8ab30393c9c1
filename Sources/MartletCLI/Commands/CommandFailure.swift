import MartletModel

/// The exit statuses of `martlet`; part of its documented behaviour.
enum ExitStatus: Int32 {
    /// All went well.
    case success = 0
    /// A statement failed, or an operation on data did.
    case failure = 1
    /// The command line is wrong.
    case usage = 2
    /// The daemon does not answer or the directory cannot be opened.
    case cannotConnect = 3
    /// Some lines or rows were refused; the others were kept.
    case partly = 4
    /// `check` found damage.
    case damaged = 5
    /// Ended by Ctrl-C.
    case interrupted = 130
}

/// Ends a command with a message on the standard error stream and a status.
struct CommandFailure: Error {
    var message: String
    var status: ExitStatus

    init(_ message: String, status: ExitStatus = .failure) {
        self.message = message
        self.status = status
    }

    init(_ error: MartletError, status: ExitStatus = .failure) {
        self.init(error.description, status: status)
    }
}
