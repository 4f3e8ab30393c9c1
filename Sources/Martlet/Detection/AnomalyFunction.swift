import MartletDetectors
import MartletModel
import MartletQuery

/// `anomaly_score(value, ... [, method [, parameters]]) OVER (PARTITION BY series ORDER BY time)` and its kin: a
/// detector runs over each partition in order of time, and each row is judged by the rows before it.
struct AnomalyFunction: WindowFunction {
    /// What is said about each row.
    enum Output: CaseIterable {
        case score, significance, isAnomaly, isAlarm, severity, reason, expected

        var name: String {
            switch self {
            case .score: "anomaly_score"
            case .significance: "anomaly_significance"
            case .isAnomaly: "is_anomaly"
            case .isAlarm: "is_anomaly_alarm"
            case .severity: "anomaly_severity"
            case .reason: "anomaly_reason"
            case .expected: "anomaly_expected"
            }
        }

        var type: ColumnType {
            switch self {
            case .score, .significance, .expected: .float64
            case .isAnomaly, .isAlarm: .bool
            case .severity, .reason: .string
            }
        }
    }

    let output: Output
    let registry: DetectorRegistry
    var name: String { output.name }

    /// How the arguments divide: leading numbers, then the method and its parameters.
    private struct Form {
        var dimensions: Int
        var method: String
        var parameters: String
    }

    private func refused(_ why: String) -> MartletError {
        MartletError(
            .semantic, "\(name): \(why)",
            hint:
                "the form is \(name)(value, ... [, 'method' [, 'name = number, ...']]) OVER (PARTITION BY ... ORDER BY "
                + "time)")
    }

    private func form(_ types: [ColumnType?], _ constants: [FieldValue?]) throws(MartletError) -> Form {
        let dimensions = types.prefix { $0 != .string }.count
        guard dimensions > 0 else { throw refused("a value comes first") }
        for type in types[..<dimensions] {
            if let type, !type.isNumeric, type != .bool { throw refused("a value cannot be a \(type.name)") }
        }
        var texts: [String] = []
        for index in dimensions..<types.count {
            guard case .string(let text)? = constants[index] else {
                throw refused("the method and its parameters are constant texts")
            }
            texts.append(text)
        }
        guard texts.count <= 2 else { throw refused("nothing follows the parameters") }
        return Form(
            dimensions: dimensions, method: texts.first ?? DetectorRegistry.standardMethod,
            parameters: texts.count > 1 ? texts[1] : "")
    }

    private func scorer(_ form: Form) throws(MartletError) -> AnomalyScorer {
        do throws(MartletError) {
            return try registry.scorer(form.method, form.parameters, dimensions: form.dimensions)
        } catch { throw MartletError(.semantic, "\(name): \(error.message)", hint: error.hint) }
    }

    func resultType(
        of arguments: [ColumnType?], constants: [FieldValue?], order: [WindowOrder]
    ) throws(MartletError) -> ColumnType {
        let form = try form(arguments, constants)
        guard order.count == 1, order[0].type == .timestamp, !order[0].isDescending else {
            throw refused("the rows must come in order of time, ascending: ORDER BY one TIMESTAMP")
        }
        _ = try scorer(form)
        return output.type
    }

    func evaluate(
        _ arguments: [Column], constants: [FieldValue?], order: [Column], partitions: [Range<Int>],
        checkpoint: () throws(MartletError) -> Void
    ) throws(MartletError) -> Column {
        let form = try form(arguments.map(\.type), constants)
        let values = arguments[..<form.dimensions].map { NumberReader($0) }
        let times = order[0]
        let nanoseconds = times.values.pointer(to: Int64.self)
        var builder = ColumnBuilder(output.type, capacity: times.count)
        var row = [Double](repeating: .nan, count: form.dimensions)
        for partition in partitions {
            let scorer = try scorer(form)
            for index in partition {
                if index % 4096 == 0 { try checkpoint() }
                // A row without a time has no place among the others.
                guard times.isValid(index) else {
                    builder.appendNull()
                    continue
                }
                for dimension in 0..<form.dimensions { row[dimension] = values[dimension][index] }
                let verdict = try scorer.score(nanoseconds[index], row)
                try builder.append(verdict.flatMap { output.value($0, scorer) })
            }
        }
        return builder.finish()
    }
}

/// A numeric column's values as floating-point numbers, NaN for NULL.
///
/// Unsafe: reads the column's buffer, which `column` keeps alive, at rows that the caller has checked.
private struct NumberReader {
    private let column: Column

    init(_ column: Column) { self.column = column }

    subscript(row: Int) -> Double {
        guard column.isValid(row) else { return .nan }
        switch column.type {
        case .float64: return column.values.pointer(to: Double.self)[row]
        case .int64: return Double(column.values.pointer(to: Int64.self)[row])
        case .uint64: return Double(column.values.pointer(to: UInt64.self)[row])
        case .bool: return Bitmap.isSet(column.values.baseAddress, row) ? 1 : 0
        case .timestamp, .string, .interval: return .nan
        }
    }
}

extension AnomalyFunction.Output {
    /// What is said about the row that `scorer` has just judged.
    fileprivate func value(_ verdict: Verdict, _ scorer: AnomalyScorer) -> FieldValue? {
        switch self {
        case .score: .float64(verdict.score)
        case .significance: .float64(verdict.significance)
        case .isAnomaly: .bool(verdict.isAnomaly)
        case .isAlarm: .bool(verdict.isAlarm)
        case .severity: verdict.severity.map { .string($0.name) }
        case .reason: verdict.isAnomaly ? .string(scorer.detector.explanation.reason) : nil
        case .expected: verdict.isAnomaly ? scorer.detector.explanation.expected.map { .float64($0) } : nil
        }
    }
}

extension FunctionRegistry {
    /// The functions that every query through `Database` knows: `builtIn`, and those of the built-in detectors.
    public static let builtInWithDetectors: FunctionRegistry = {
        var registry = FunctionRegistry.builtIn
        registry.registerDetectors(.builtIn)
        return registry
    }()

    /// Adds or replaces the functions that score anomalies, so that they know the detectors of `detectors`.
    public mutating func registerDetectors(_ detectors: DetectorRegistry) {
        for output in AnomalyFunction.Output.allCases {
            register(AnomalyFunction(output: output, registry: detectors))
        }
    }
}
