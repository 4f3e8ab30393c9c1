import MartletModel

/// What a tag index must answer so that any `TagPredicate` can be evaluated over it.
package protocol TagLookup: ~Copyable {
    /// All series of `table`.
    func allSeries(of table: UInt32) throws(MartletError) -> SeriesBitmap
    /// The series of `table` that have tag `key`, with any value.
    func series(of table: UInt32, having key: String) throws(MartletError) -> SeriesBitmap
    /// The series of `table` whose tag `key` has one of `values`.
    func series(of table: UInt32, where key: String, isOneOf values: [String]) throws(MartletError) -> SeriesBitmap
    /// The series of `table` that have tag `key` with a value for which `test` is true.
    func series(
        of table: UInt32, where key: String, satisfies test: (String?) -> Bool
    ) throws(MartletError) -> SeriesBitmap
}

extension TagLookup where Self: ~Copyable {
    /// The series of `table` for which `predicate` holds. Closures in it run once per distinct value.
    package func evaluate(_ predicate: TagPredicate, table: UInt32) throws(MartletError) -> SeriesBitmap {
        switch predicate {
        case .all: return try allSeries(of: table)
        case .none: return SeriesBitmap()
        case .equals(let key, let value): return try series(of: table, where: key, isOneOf: [value])
        case .isOneOf(let key, let values): return try series(of: table, where: key, isOneOf: values)
        case .present(let key): return try series(of: table, having: key)
        case .satisfies(let key, let test):
            let present = try series(of: table, where: key, satisfies: test)
            if !test(nil) { return present }
            return try allSeries(of: table).subtracting(series(of: table, having: key)).union(present)
        case .not(let part): return try allSeries(of: table).subtracting(evaluate(part, table: table))
        case .and(let parts):
            var result: SeriesBitmap?
            for part in parts {
                guard let known = result else {
                    result = try evaluate(part, table: table)
                    continue
                }
                if known.isEmpty { return known }
                if case .not(let excluded) = part {
                    result = known.subtracting(try evaluate(excluded, table: table))
                } else {
                    result = known.intersection(try evaluate(part, table: table))
                }
            }
            if let result { return result }
            return try allSeries(of: table)
        case .or(let parts):
            var result = SeriesBitmap()
            for part in parts { result = result.union(try evaluate(part, table: table)) }
            return result
        }
    }
}
