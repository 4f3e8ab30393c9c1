import MartletModel

/// Which series of a table are meant, by their tags. Two-valued: a missing tag is a value of its own (`nil`), so a
/// planner that needs SQL's NULL logic writes `host <> 'a'` as `.and([.present("host"), .not(.equals("host", "a"))])`.
package indirect enum TagPredicate: Sendable {
    /// Every series.
    case all
    /// No series.
    case none
    /// The tag is present with exactly this value.
    case equals(String, String)
    /// The tag is present with one of these values.
    case isOneOf(String, [String])
    /// The tag is present.
    case present(String)
    /// The closure is true of the tag's value (`nil` when absent). Evaluated once per distinct value, not per series:
    /// regular expressions, LIKE and functions of one tag come this way.
    case satisfies(String, @Sendable (String?) -> Bool)
    /// All hold; true when empty.
    case and([TagPredicate])
    /// At least one holds; false when empty.
    case or([TagPredicate])
    /// The predicate does not hold.
    case not(TagPredicate)

    /// The predicate's value for one tag set. O(size of the predicate); indexes do not go through this.
    package func holds(for tags: TagSet) -> Bool {
        switch self {
        case .all: true
        case .none: false
        case .equals(let key, let value): tags[key] == value
        case .isOneOf(let key, let values): tags[key].map(values.contains) ?? false
        case .present(let key): tags[key] != nil
        case .satisfies(let key, let test): test(tags[key])
        case .and(let parts): parts.allSatisfy { $0.holds(for: tags) }
        case .or(let parts): parts.contains { $0.holds(for: tags) }
        case .not(let part): !part.holds(for: tags)
        }
    }
}
