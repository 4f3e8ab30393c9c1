import MartletModel

/// The columns that names can mean at one place of a query.
struct Scope: Sendable {
    struct Entry: Sendable {
        var name: String
        var type: ColumnType
        var role: ColumnRole
        /// The relation's alias or name.
        var relation: String?
        /// Whether an unqualified name and `*` pass it by: the second of two columns joined by USING.
        var isMerged = false
    }

    var entries: [Entry] = []

    /// What a name turned out to be.
    enum Resolution {
        case found(Int)
        case ambiguous([String])
        case unknown
    }

    /// Looks up `column` or `relation.column`. Exact spelling goes first; a bare (unquoted) name may also match
    /// regardless of case, if only one column does.
    func resolve(_ column: Name, relation: Name?) -> Resolution {
        var exact: [Int] = []
        var folded: [Int] = []
        let wanted = column.text
        let wantedLength = wanted.utf8.count
        for (index, entry) in entries.enumerated() {
            guard entry.name.utf8.count == wantedLength else { continue }
            if let relation {
                guard let name = entry.relation, Self.same(name, relation) else { continue }
            } else if entry.isMerged {
                continue
            }
            if entry.name == wanted {
                exact.append(index)
            } else if !column.isQuoted && entry.name.lowercased() == wanted.lowercased() {
                folded.append(index)
            }
        }
        let matches = exact.isEmpty ? folded : exact
        if matches.count == 1 { return .found(matches[0]) }
        if matches.isEmpty { return .unknown }
        return .ambiguous(matches.map { (entries[$0].relation.map { "\($0)." } ?? "") + entries[$0].name })
    }

    /// Whether `name` means the relation called `relation`.
    static func same(_ relation: String, _ name: Name) -> Bool {
        relation == name.text || (!name.isQuoted && relation.lowercased() == name.text.lowercased())
    }

    /// Whether a relation is called `name`.
    func hasRelation(_ name: Name) -> Bool {
        entries.contains { $0.relation.map { Self.same($0, name) } ?? false }
    }

    /// The relations' names, each once.
    var relationNames: [String] {
        var names: [String] = []
        for entry in entries {
            if let name = entry.relation, !names.contains(name) { names.append(name) }
        }
        return names
    }
}
