import MartletModel
import MartletStorage
import Synchronization

/// Divides the conditions on a table between storage and the filter above the scan: bounds of time and conditions on
/// tags are storage's, bounds of fields are hints to it, and the rest is evaluated.
struct ScanConditions {
    private var scan: ScanPlan
    private let context: StatementContext

    init(_ scan: ScanPlan, context: StatementContext) {
        self.scan = scan
        self.context = context
    }

    /// The scan under `conditions`, over its columns.
    func absorbing(_ conditions: [BoundExpression]) -> Plan {
        var result = self
        var rest: [BoundExpression] = scan.filter.map { [$0] } ?? []
        for condition in conditions {
            if condition == .trueConstant { continue }
            if case .constant = condition {
                // FALSE or NULL: no row can pass.
                result.scan.time = .empty
            } else if result.absorbTime(condition) || result.absorbTags(condition) {
                continue
            } else {
                result.addBound(condition)
                rest.append(condition)
            }
        }
        result.scan.filter = BoundExpression.conjunction(rest)
        return .scan(result.scan)
    }

    // MARK: Time

    private mutating func absorbTime(_ condition: BoundExpression) -> Bool {
        // The latest row is each series' latest of all, so bounds of time select among those rows.
        if scan.isLatest { return false }
        guard let (column, comparison, value) = comparison(condition), scan.columns[column] == .time,
            case .timestamp(let time) = value
        else { return false }
        let at = time.nanoseconds
        let range: TimeRange
        switch comparison {
        case .equal: range = TimeRange(at, at)
        case .less: range = at == .min ? .empty : TimeRange(.min, at - 1)
        case .lessOrEqual: range = TimeRange(.min, at)
        case .greater: range = at == .max ? .empty : TimeRange(at + 1, .max)
        case .greaterOrEqual: range = TimeRange(at, .max)
        case .notEqual: return false
        }
        scan.time = scan.time.intersection(range)
        return true
    }

    /// `column OP constant`, whichever way round it was written.
    private func comparison(_ condition: BoundExpression) -> (Int, ComparisonOperator, FieldValue)? {
        guard case .call(let function, let operands, _, _) = condition, operands.count == 2,
            let comparison = ComparisonOperator(rawValue: function.name)
        else { return nil }
        switch (operands[0], operands[1]) {
        case (.column(let column, _, _), .constant(let value?, _)): return (column, comparison, value)
        case (.constant(let value?, _), .column(let column, _, _)): return (column, comparison.swapped, value)
        default: return nil
        }
    }

    // MARK: Tags

    private mutating func absorbTags(_ condition: BoundExpression) -> Bool {
        guard let predicate = predicate(condition) else { return false }
        switch scan.series {
        case .all: scan.series = predicate
        case .and(let parts): scan.series = .and(parts + [predicate])
        default: scan.series = .and([scan.series, predicate])
        }
        scan.seriesText.append(ExpressionText.of(condition, columns: scan.columns.map(\.description.name)))
        return true
    }

    /// The tags for which `condition` is true (neither false nor NULL); `nil` when it reads anything but tags.
    private mutating func predicate(_ condition: BoundExpression) -> TagPredicate? {
        switch condition {
        case .and(let parts):
            return predicates(parts).map { .and($0) }
        case .or(let parts):
            return predicates(parts).map { .or($0) }
        default: break
        }
        let columns = condition.columns
        guard columns.count == 1, case .tag(let tag) = scan.columns[columns[0]] else { return nil }
        switch condition {
        case .isNull(.column, let negated): return negated ? .present(tag) : .not(.present(tag))
        case .inSet(.column, let set, negated: false):
            return .isOneOf(tag, set.values.compactMap { if case .string(let text) = $0 { text } else { nil } })
        case .call:
            if let (_, comparison, value) = comparison(condition), case .string(let text) = value {
                if comparison == .equal { return .equals(tag, text) }
                if comparison == .notEqual { return .and([.present(tag), .not(.equals(tag, text))]) }
            }
        default: break
        }
        let test = TagTest(condition, context: context.evaluators)
        scan.tagTests.append(test)
        return .satisfies(tag, test.holds)
    }

    private mutating func predicates(_ conditions: [BoundExpression]) -> [TagPredicate]? {
        var result: [TagPredicate] = []
        for condition in conditions {
            guard let predicate = predicate(condition) else { return nil }
            result.append(predicate)
        }
        return result
    }

    // MARK: Fields

    private mutating func addBound(_ condition: BoundExpression) {
        guard let (column, comparison, value) = comparison(condition),
            case .field(let field, let type) = scan.columns[column], type == value.type, type.isNumeric
        else { return }
        switch comparison {
        case .equal: scan.bounds.append(FieldBound(field: field, lowerBound: value, upperBound: value))
        case .less, .lessOrEqual: scan.bounds.append(FieldBound(field: field, upperBound: value))
        case .greater, .greaterOrEqual: scan.bounds.append(FieldBound(field: field, lowerBound: value))
        case .notEqual: break
        }
    }
}

/// A condition on one tag, asked of one value at a time. Storage asks once per distinct value and remembers.
final class TagTest: Sendable {
    private let condition: BoundExpression
    private let context: EvaluatorContext
    private let failure = Mutex<MartletError?>(nil)

    init(_ condition: BoundExpression, context: EvaluatorContext) {
        self.condition = condition.replacingColumns { _, type, offset in .column(0, type, offset: offset) }
        self.context = context
    }

    /// Whether the condition is true of a tag's value. A value for which it cannot be computed is remembered as the
    /// scan's error.
    @Sendable func holds(_ value: String?) -> Bool {
        do throws(MartletError) {
            let column = try Column(.string, [value.map { .string($0) }])
            let evaluator = Evaluator.make(condition, context: context)
            return try !evaluator.select(Rows(count: 1, columns: [column])).isEmpty
        } catch {
            failure.withLock { $0 = $0 ?? error }
            return false
        }
    }

    /// Throws the first error that `holds` met.
    func check() throws(MartletError) {
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
