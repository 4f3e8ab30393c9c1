/// Words with a meaning in the grammar. Only the reserved ones cannot serve as a bare name.
enum Keyword: UInt8, CaseIterable, BitwiseCopyable {
    case none
    case add, all, alter, analyze, and, any, `as`, asc, asof, at, between, both, by, `case`, cast, column, columns
    case compact, conflict, create, cross, current, current_date, current_timestamp, data, date, `default`, delete, desc
    case describe, distinct, drop, `else`, end, escape, except, exclude, exists, explain, extract, `false`, fetch, fill
    case filter, first, following, `for`, from, full, functions, group, groups, having, `if`, ignore, ilike, `in`, inner
    case insert, intersect, interval, into, `is`, isnull, join, key, last, leading, left, like, limit, linear, namespace
    case namespaces, natural, not, notnull, null, nulls, of, offset, on, only, or, order, outer, over, partition
    case position, preceding, previous, primary, qualify, range, respect, returning, right, row, rows, segments, select
    case series, set, show, substring, symmetric, table, tables, tag, tags, then, time, timestamp, to, trailing, trim
    case `true`, try_cast, type, unbounded, union, unknown, using, values, when, `where`, window, with, within, zone
    case without, update, use, begin, commit, rollback, exclusive, replace, temporary, view, index, grant, vacuum
    case top, value, cardinality

    /// Whether the word cannot be a name unless it is quoted.
    var isReserved: Bool {
        switch self {
        case .all, .and, .any, .as, .asc, .asof, .between, .both, .case, .cast, .create, .cross, .desc, .distinct,
            .else,
            .end, .except, .exists, .false, .fetch, .for, .from, .full, .group, .having, .ilike, .in, .inner,
            .intersect,
            .into, .is, .isnull, .join, .leading, .left, .like, .limit, .natural, .not, .notnull, .null, .offset, .on,
            .only,
            .or, .order, .qualify, .returning, .right, .select, .symmetric, .table, .then, .to, .trailing, .true,
            .try_cast,
            .union, .using, .when, .where, .window, .with:
            true
        default: false
        }
    }

    /// The spelling in capitals, for messages.
    var spelling: String { String(describing: self).uppercased() }

    private static let longest = 17

    private static let words: [String: Keyword] = {
        var words: [String: Keyword] = [:]
        for keyword in allCases where keyword != .none { words[String(describing: keyword)] = keyword }
        return words
    }()

    /// The keyword that `bytes` spell, whatever their case, or `.none`.
    static func of(_ bytes: UnsafeBufferPointer<UInt8>) -> Keyword {
        if bytes.count < 2 || bytes.count > longest { return .none }
        let word = String(unsafeUninitializedCapacity: bytes.count) { target in
            for index in 0..<bytes.count {
                let byte = bytes[index]
                target[index] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
            }
            return bytes.count
        }
        return words[word] ?? .none
    }
}
