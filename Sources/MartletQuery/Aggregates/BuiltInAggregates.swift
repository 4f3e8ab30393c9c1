import MartletModel

extension FunctionRegistry {
    /// Registers every built-in aggregate; docs/sql-functions.md has the table.
    mutating func registerAggregates() {
        registerSums()
        registerPicks()
        registerStatistics()
        registerTimed()
    }

    private mutating func registerSums() {
        register(
            AggregateDefinition("count", "count(*) or count(value)") {
                $0.count <= 1 ? .int64 : nil
            } make: {
                (_, _) throws(MartletError) in
                CountAccumulator()
            })
        for (name, result) in [("sum", SumResult.sum), ("avg", .mean), ("mean", .mean)] {
            register(
                AggregateDefinition(name, "\(name)(number)") { types in
                    guard types.count == 1 else { return nil }
                    switch types[0] ?? .float64 {
                    case .float64: return .float64
                    case .int64, .bool: return result == .mean ? .float64 : .int64
                    case .uint64: return result == .mean ? .float64 : .uint64
                    case .timestamp, .string, .interval: return nil
                    }
                } make: { (types, _) throws(MartletError) in
                    let type = types[0] ?? .float64
                    return type == .float64
                        ? FloatSumAccumulator(result) : IntegerSumAccumulator(result, type: type)
                })
        }
        let extremes: [(String, ExtremeResult)] = [("min", .least), ("max", .greatest), ("spread", .spread)]
        for (name, result) in extremes {
            register(
                AggregateDefinition(name, result == .spread ? "spread(number or time)" : "\(name)(value)") { types in
                    guard types.count == 1 else { return nil }
                    let type = types[0] ?? .float64
                    if result != .spread { return type }
                    return type == .timestamp ? .interval : type.isNumeric ? type : nil
                } make: { (types, _) throws(MartletError) in
                    switch types[0] ?? .float64 {
                    case .float64: FloatExtremeAccumulator(result)
                    case .int64: IntegerExtremeAccumulator<Int64>(result, type: .int64)
                    case .timestamp: IntegerExtremeAccumulator<Int64>(result, type: .timestamp)
                    case .uint64: IntegerExtremeAccumulator<UInt64>(result, type: .uint64)
                    case .bool, .string, .interval: ValueExtremeAccumulator(result, type: types[0]!)
                    }
                })
        }
    }

    private mutating func registerPicks() {
        for (name, isLast) in [("first", false), ("last", true)] {
            register(
                AggregateDefinition(name, "\(name)(value) or \(name)(value, time)", needsTime: true) { types in
                    switch types.count {
                    case 1: types[0] ?? .float64
                    case 2: types[1] ?? .timestamp == .timestamp ? types[0] ?? .float64 : nil
                    default: nil
                    }
                } make: { (types, _) throws(MartletError) in
                    TimePickAccumulator(type: types[0] ?? .float64, isLast: isLast)
                })
        }
        register(
            AggregateDefinition("any_value", "any_value(value)") {
                $0.count == 1 ? $0[0] ?? .float64 : nil
            } make: {
                (types, _) throws(MartletError) in
                KeyPickAccumulator(type: types[0] ?? .float64, keyType: nil, isMaximum: false)
            })
        for (name, isMaximum) in [("arg_min", false), ("min_by", false), ("arg_max", true), ("max_by", true)] {
            register(
                AggregateDefinition(name, "\(name)(value, key)") {
                    $0.count == 2 ? $0[0] ?? .float64 : nil
                } make: {
                    (types, _) throws(MartletError) in
                    KeyPickAccumulator(
                        type: types[0] ?? .float64, keyType: types[1] ?? .float64, isMaximum: isMaximum)
                })
        }
        for (name, isAnd) in [("bool_and", true), ("every", true), ("bool_or", false)] {
            register(
                AggregateDefinition(name, "\(name)(boolean)") {
                    $0.count == 1 && $0[0] ?? .bool == .bool ? .bool : nil
                } make: { (_, _) throws(MartletError) in
                    BoolAccumulator(isAnd: isAnd)
                })
        }
        for name in ["string_agg", "group_concat", "listagg"] {
            register(
                AggregateDefinition(name, "\(name)(text, separator)") {
                    $0.count == 1 || ($0.count == 2 && $0[1] ?? .string == .string) ? .string : nil
                } make: { (types, constants) throws(MartletError) in
                    guard types.count == 2 else { return StringAggregateAccumulator(separator: ",") }
                    guard case .string(let separator)? = constants[1] else {
                        throw MartletError(.semantic, "the separator of \(name) must be constant text")
                    }
                    return StringAggregateAccumulator(separator: separator)
                })
        }
    }

    private mutating func registerStatistics() {
        let moments: [(String, MomentResult)] = [
            ("stddev", .deviationSample), ("stddev_samp", .deviationSample), ("stddev_pop", .deviationPopulation),
            ("variance", .varianceSample), ("var_samp", .varianceSample), ("var_pop", .variancePopulation),
            ("skewness", .skewness), ("kurtosis", .kurtosis), ("kurtosis_pop", .kurtosisPopulation),
        ]
        for (name, result) in moments {
            register(
                AggregateDefinition(name, "\(name)(number)") { types in
                    types.count == 1 && (types[0] ?? .float64).isNumeric ? .float64 : nil
                } make: { (_, _) throws(MartletError) in
                    MomentAccumulator(result)
                })
        }
        for result in PairResult.allCases {
            register(
                AggregateDefinition(result.rawValue, "\(result.rawValue)(y, x)") { types in
                    guard types.count == 2, types.allSatisfy({ ($0 ?? .float64).isNumeric }) else { return nil }
                    return result == .pairs ? .int64 : .float64
                } make: { (_, _) throws(MartletError) in
                    PairAccumulator(result)
                })
        }
        registerQuantiles()
        register(
            AggregateDefinition("mode", "mode(value)") {
                $0.count == 1 ? $0[0] ?? .float64 : nil
            } make: {
                (types, _) throws(MartletError) in
                ModeAccumulator(type: types[0] ?? .float64)
            })
        register(
            AggregateDefinition("count_distinct", "count_distinct(value)") {
                $0.count == 1 ? .int64 : nil
            } make: {
                (types, _) throws(MartletError) in
                DistinctAccumulator(type: types[0] ?? .float64)
            })
        register(
            AggregateDefinition("approx_count_distinct", "approx_count_distinct(value)") {
                $0.count == 1 ? .int64 : nil
            } make: { (_, _) throws(MartletError) in
                ApproximateDistinctAccumulator()
            })
        register(
            AggregateDefinition("histogram", "histogram(number, low, high, buckets)") { types in
                types.count == 4 && types.allSatisfy { ($0 ?? .float64).isNumeric } ? .string : nil
            } make: { (_, constants) throws(MartletError) in
                guard let low = constants[1]?.number, let high = constants[2]?.number,
                    let buckets = constants[3]?.number, low < high, (high - low).isFinite, buckets >= 1,
                    buckets <= 10_000
                else {
                    throw MartletError(
                        .semantic, "histogram needs constants low < high and 1 to 10000 buckets",
                        hint: "histogram(value, 0, 100, 10)")
                }
                return HistogramAccumulator(low: low, high: high, buckets: Int(buckets))
            })
    }

    private mutating func registerQuantiles() {
        let ordered: @Sendable (ColumnType?) -> Bool = { ($0 ?? .float64).isNumeric || $0 == .timestamp }
        let continuous: @Sendable (ColumnType?) -> ColumnType = { $0 == .timestamp ? .timestamp : .float64 }
        register(
            AggregateDefinition("median", "median(number or time)") {
                $0.count == 1 && ordered($0[0]) ? continuous($0[0]) : nil
            } make: { (types, _) throws(MartletError) in
                QuantileAccumulator(type: types[0] ?? .float64, fraction: 0.5, isContinuous: true)
            })
        for name in ["quantile_cont", "percentile_cont"] {
            register(
                AggregateDefinition(name, "\(name)(number or time, fraction)") {
                    $0.count == 2 && ordered($0[0]) ? continuous($0[0]) : nil
                } make: { (types, constants) throws(MartletError) in
                    QuantileAccumulator(
                        type: types[0] ?? .float64, fraction: try QuantileAccumulator.fraction(constants, name),
                        isContinuous: true)
                })
        }
        for name in ["quantile_disc", "percentile_disc", "quantile"] {
            register(
                AggregateDefinition(name, "\(name)(value, fraction)") {
                    $0.count == 2 && $0[0] != .interval ? $0[0] ?? .float64 : nil
                } make: { (types, constants) throws(MartletError) in
                    QuantileAccumulator(
                        type: types[0] ?? .float64, fraction: try QuantileAccumulator.fraction(constants, name),
                        isContinuous: false)
                })
        }
        for name in ["approx_quantile", "approx_percentile"] {
            register(
                AggregateDefinition(name, "\(name)(number, fraction)") {
                    $0.count == 2 && ($0[0] ?? .float64).isNumeric ? .float64 : nil
                } make: { (_, constants) throws(MartletError) in
                    SketchAccumulator(fraction: try QuantileAccumulator.fraction(constants, name))
                })
        }
    }

    private mutating func registerTimed() {
        let timed: [(String, TimedResult, ColumnType)] = [
            ("rate", .rate, .float64), ("irate", .instantRate, .float64), ("increase", .increase, .float64),
            ("delta", .delta, .float64), ("derivative", .derivative, .float64), ("resets", .resets, .int64),
            ("changes", .changes, .int64),
        ]
        for (name, result, type) in timed {
            register(
                AggregateDefinition(name, "\(name)(number) or \(name)(number, time)", needsTime: true) { types in
                    guard (1...2).contains(types.count), (types[0] ?? .float64).isNumeric else { return nil }
                    return types.count == 1 || types[1] ?? .timestamp == .timestamp ? type : nil
                } make: { (_, _) throws(MartletError) in
                    TimedAccumulator(result)
                })
        }
        for name in ["time_weighted_average", "twa"] {
            register(
                AggregateDefinition(
                    name, "\(name)(number) or \(name)(number, 'locf' or 'linear')", needsTime: true
                ) { types in
                    guard (1...2).contains(types.count), (types[0] ?? .float64).isNumeric else { return nil }
                    return types.count == 1 || types[1] ?? .string == .string ? .float64 : nil
                } make: { (types, constants) throws(MartletError) in
                    guard types.count == 2 else { return TimedAccumulator(.averageStep) }
                    switch constants[1] {
                    case .string("locf")?: return TimedAccumulator(.averageStep)
                    case .string("linear")?: return TimedAccumulator(.averageLinear)
                    default: throw MartletError(.semantic, "the method of \(name) is 'locf' or 'linear'")
                    }
                })
        }
    }
}
