import MartletModel
import MartletQuery
import MartletStorage

/// Rows that several detectors of one table judge, read once for all of them.
///
/// Detectors of the same table, condition and groups mostly want the same rows at the same time, each another value of them.
/// The first that asks has the values of all read, and the others find them there.
///
/// Not thread-safe: used on the thread of the streams alone.
final class SharedDetectorReads {
    private let definition: DetectorDefinition
    private let namespace: any NamespaceEngine
    private let queries: QueryEngine
    let groups: DetectorGroups
    /// How many detectors want each value.
    private var wanted: [String: Int] = [:]
    private var reader: DetectorReader?
    private var last: (range: TimeRange, commit: UInt64, rows: DetectorRows)?

    /// - Throws: `.notFound` where the table or a tag is not there.
    init(
        _ definition: DetectorDefinition, _ namespace: any NamespaceEngine, _ queries: QueryEngine
    ) throws(MartletError) {
        self.definition = definition
        self.namespace = namespace
        self.queries = queries
        groups = try DetectorReader.groups(definition, namespace, queries)
    }

    func join(_ values: [String]) {
        for value in values { wanted[value, default: 0] += 1 }
        reader = nil
        last = nil
    }

    func leave(_ values: [String]) {
        for value in values {
            wanted[value, default: 1] -= 1
            if wanted[value] == 0 { wanted[value] = nil }
        }
        reader = nil
        last = nil
    }

    /// The rows of a range with the values of all detectors, as they are at `commit` or later; `nil` where there are more
    /// than `limit`.
    func rows(of range: TimeRange, at commit: UInt64, limit: Int) throws(MartletError) -> DetectorRows? {
        if let last, last.range == range, last.commit >= commit { return last.rows }
        let present: DetectorReader
        if let reader {
            present = reader
        } else {
            present = try DetectorReader(definition, wanted.keys.sorted(), groups, namespace, queries)
            reader = present
        }
        last = nil
        guard let rows = try present.rows(of: range, limit: limit) else { return nil }
        // Alone, nobody else will ask for them.
        if wanted.count > 1 { last = (range, commit, rows) }
        return rows
    }
}

/// The shared reads of all namespaces, as long as a detector uses them.
///
/// `@unchecked Sendable`: touched on the thread of the streams alone, as the tasks are.
final class DetectorReadsPool: @unchecked Sendable {
    private struct Key: Hashable {
        var namespace: ObjectIdentifier
        var table: String
        var filter: String?
        var groups: [String]?
    }

    private struct Entry { weak var reads: SharedDetectorReads? }

    private var entries: [Key: Entry] = [:]

    func reads(
        for definition: DetectorDefinition, _ namespace: any NamespaceEngine, _ queries: QueryEngine
    ) throws(MartletError) -> SharedDetectorReads {
        entries = entries.filter { $0.value.reads != nil }
        let key = Key(
            namespace: ObjectIdentifier(namespace), table: definition.table, filter: definition.filter,
            groups: definition.groups)
        if let reads = entries[key]?.reads { return reads }
        let made = try SharedDetectorReads(definition, namespace, queries)
        entries[key] = Entry(reads: made)
        return made
    }
}
