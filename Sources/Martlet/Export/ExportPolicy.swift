import MartletModel

/// Where EXPORT may write. An embedding program decides for itself; a daemon, whose clients name paths of its machine,
/// allows one directory or none.
public enum ExportPolicy: Sendable, Hashable {
    /// To any destination that the process can reach.
    case anywhere
    /// Only below this directory: destinations are relative to it, or name it in full.
    case below(String)
    /// Nowhere, for this reason.
    case nowhere(reason: String)

    /// The destination that is written to for one that a statement names.
    ///
    /// - Throws: `.unauthorized` where it is not allowed.
    func resolve(_ destination: String) throws(MartletError) -> String {
        guard !destination.isEmpty else { throw MartletError(.invalidArgument, "the destination is empty") }
        switch self {
        case .anywhere: return destination
        case .nowhere(let reason): throw MartletError(.unauthorized, "EXPORT is refused: \(reason)")
        case .below(let directory):
            let (scheme, path) = SegmentSinkRegistry.split(destination)
            guard scheme == "file" else {
                throw MartletError(.unauthorized, "EXPORT may write below its directory only, not to '\(scheme)://'")
            }
            let wanted = path.utf8.split(separator: UInt8(ascii: "/")).map { String($0) ?? "" }
            var base = directory
            while base.utf8.count > 1, base.hasSuffix("/") { base.removeLast() }
            var relative = wanted
            if path.hasPrefix("/") {
                let parts = base.utf8.split(separator: UInt8(ascii: "/")).map { String($0) ?? "" }
                guard base.hasPrefix("/"), wanted.starts(with: parts) else { throw Self.outside }
                relative = Array(wanted.dropFirst(parts.count))
            }
            // Names with a null byte would end early in the system's eyes.
            guard !relative.contains(where: { $0 == ".." || $0 == "." || $0.utf8.contains(0) }) else {
                throw Self.outside
            }
            return ([base == "/" ? "" : base] + relative).joined(separator: "/") + (path.hasSuffix("/") ? "/" : "")
        }
    }

    private static var outside: MartletError {
        MartletError(
            .unauthorized, "EXPORT may write below the export directory only",
            hint: "name a path relative to it, without '..'")
    }
}
