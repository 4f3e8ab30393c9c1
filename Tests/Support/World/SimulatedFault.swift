import MartletModel

/// Something that goes wrong at a given operation of a `SimulatedFileSystem`.
public enum SimulatedFault: Sendable, Hashable {
    /// The operation fails with EIO. A write may have written some of its bytes.
    case inputOutputError
    /// The operation fails with ENOSPC. A write may have written some of its bytes.
    case storageFull
    /// The operation is a sync that fails and drops what it should have made durable, as Linux does: the bytes stay
    /// readable, a second sync succeeds, and a crash loses them. On any other operation: EIO.
    case syncLoss
    /// The power fails during the operation: it may have taken effect in part; this and all later operations throw
    /// `.io`. Call `SimulatedFileSystem.crash()` to get at what survived.
    case powerLoss
}

/// One operation as a `SimulatedFileSystem` counted it.
public struct SimulatedOperation: Sendable, Hashable, CustomStringConvertible {
    /// The operation's kind.
    public enum Kind: String, Sendable, Hashable {
        /// Making of a file.
        case create
        /// Writing of bytes.
        case write
        /// Changing of a file's length.
        case truncate
        /// fdatasync.
        case sync
        /// Making of a directory.
        case createDirectory
        /// Renaming.
        case rename
        /// Removing of a name.
        case remove
        /// Removing of a directory.
        case removeDirectory
        /// Giving a second name.
        case link
        /// fsync of a directory.
        case syncDirectory
    }

    /// The number by which faults name it: 0 for the first operation that changes anything.
    public let number: Int
    /// What it did.
    public let kind: Kind
    /// To which file or directory.
    public let path: String
    /// The offset and length of a write, the size of a truncation, the target of a rename or link.
    public let detail: String

    /// The operation in one line.
    public var description: String { "#\(number) \(kind.rawValue) \(path)\(detail.isEmpty ? "" : " ")\(detail)" }
}
