import MartletModel
import MartletQuery
import MartletStorage

/// The streams of a namespace as its table of them keeps them.
struct StreamRecord {
    static let table = "_streams"

    var definition: StreamDefinition
    /// The statement that made it.
    var statement: String
    var isEnabled: Bool
    var createdAt: Int64
    var createdAtCommit: UInt64

    var row: Row {
        Row(
            Self.table, tags: ["stream": definition.name],
            fields: [
                "kind": .string(definition.kind.rawValue), "statement": .string(statement), "enabled": .bool(isEnabled),
                "created_at": .int64(createdAt), "created_at_commit": .int64(Int64(bitPattern: createdAtCommit)),
            ], time: Timestamp(nanoseconds: 0))
    }

    /// The records of a namespace by name; those that cannot be read, with the reason.
    static func stored(
        in namespace: any NamespaceEngine, _ queries: QueryEngine
    ) throws(MartletError) -> (records: [StreamRecord], failures: [(name: String, error: MartletError)]) {
        guard try namespace.snapshot().schema(of: table) != nil else { return ([], []) }
        let query = try StandingQuery(
            "SELECT stream, statement, enabled, created_at, created_at_commit FROM \(table) ORDER BY stream")
        var records: [StreamRecord] = []
        var failures: [(name: String, error: MartletError)] = []
        for row in try queries.run(query, in: namespace).rows() {
            guard case .string(let name)? = row[0] else { continue }
            do throws(MartletError) {
                guard case .string(let statement)? = row[1], case .bool(let isEnabled)? = row[2],
                    case .int64(let createdAt)? = row[3], case .int64(let commit)? = row[4]
                else { throw MartletError(.corrupt, "the row of '\(name)' in \(table) lacks values") }
                records.append(
                    StreamRecord(
                        definition: try StreamDefinition(statement: statement), statement: statement,
                        isEnabled: isEnabled, createdAt: createdAt, createdAtCommit: UInt64(bitPattern: commit)))
            } catch { failures.append((name, error)) }
        }
        return (records, failures)
    }
}
