import MartletModel

/// One thing that can be set about a detector.
public struct DetectorParameter: Sendable, Hashable {
    /// The name, lower case.
    public let name: String
    /// The value where none is given.
    public let standard: Double
    /// The values that are accepted.
    public let range: ClosedRange<Double>
    /// Whether only whole numbers are accepted.
    public let isInteger: Bool
    /// What it means, with its unit.
    public let meaning: String

    /// A parameter that takes any number in `range`.
    public init(_ name: String, _ standard: Double, _ range: ClosedRange<Double>, _ meaning: String) {
        self.init(name: name, standard: standard, range: range, isInteger: false, meaning: meaning)
    }

    /// A parameter that takes whole numbers in `range`.
    public static func integer(
        _ name: String, _ standard: Int, _ range: ClosedRange<Int>, _ meaning: String
    ) -> DetectorParameter {
        DetectorParameter(
            name: name, standard: Double(standard), range: Double(range.lowerBound)...Double(range.upperBound),
            isInteger: true, meaning: meaning)
    }

    private init(name: String, standard: Double, range: ClosedRange<Double>, isInteger: Bool, meaning: String) {
        self.name = name
        self.standard = standard
        self.range = range
        self.isInteger = isInteger
        self.meaning = meaning
    }
}

/// Values for the parameters of one detector: the defaults, and what was set. Looked up when a detector is made.
public struct DetectorParameters: Sendable, Hashable {
    private let known: [DetectorParameter]
    private var values: [Double]

    /// The defaults of `known`.
    public init(_ known: [DetectorParameter]) {
        self.known = known
        values = known.map(\.standard)
    }

    /// The names, in the order in which the detector lists them.
    public var names: [String] { known.map(\.name) }

    /// All of them as `name = number, ...`.
    public var text: String {
        zip(known, values).map { "\($0.name) = \(shortText($1))" }.joined(separator: ", ")
    }

    /// The value of a parameter that the detector lists.
    public subscript(name: String) -> Double {
        guard let index = known.firstIndex(where: { $0.name == name }) else {
            preconditionFailure("a detector reads '\(name)', which it does not list")
        }
        return values[index]
    }

    /// The value of a whole-numbered parameter that the detector lists.
    public func integer(_ name: String) -> Int { Int(self[name]) }

    /// Sets a parameter.
    ///
    /// - Throws: `.invalidArgument` for a name that is not listed and a value that is not accepted.
    public mutating func set(_ name: String, _ value: Double) throws(MartletError) {
        guard let index = known.firstIndex(where: { $0.name == name }) else {
            throw MartletError(
                .invalidArgument, "there is no parameter '\(name)'",
                hint: "the parameters are \(names.joined(separator: ", "))")
        }
        let parameter = known[index]
        guard parameter.range.contains(value), !parameter.isInteger || value == value.rounded() else {
            throw MartletError(
                .invalidArgument, "\(name) = \(shortText(value)) is not accepted",
                hint: "it is a \(parameter.isInteger ? "whole " : "")number from "
                    + "\(shortText(parameter.range.lowerBound)) to \(shortText(parameter.range.upperBound)): "
                    + parameter.meaning)
        }
        values[index] = value
    }

    /// Sets what `text` says: `name = number`, separated by commas.
    ///
    /// - Throws: `.invalidArgument` that names the part that cannot be read, and as `set` does.
    public mutating func set(_ text: String) throws(MartletError) {
        for part in text.split(separator: ",") {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false).map { $0.trimmingSpaces() }
            if sides.count == 1, sides[0].isEmpty { continue }
            guard sides.count == 2, let value = Double(sides[1]) else {
                throw MartletError(
                    .invalidArgument, "'\(part.trimmingSpaces())' is no parameter",
                    hint: "parameters are written name = number, separated by commas")
            }
            try set(sides[0].lowercased(), value)
        }
    }
}

extension Substring {
    func trimmingSpaces() -> String {
        var rest = self
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}

/// A number for a sentence: whole numbers without a point, others with four significant digits.
func shortText(_ value: Double) -> String {
    guard value.isFinite else { return "\(value)" }
    if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
    if value == 0 { return "0" }
    let size = abs(value)
    var exponent = 0
    var scaled = size
    while scaled >= 10, exponent < 308 {
        scaled /= 10
        exponent += 1
    }
    while scaled < 1, exponent > -300 {
        scaled *= 10
        exponent -= 1
    }
    guard (-5...9).contains(exponent) else { return "\(value)" }
    var unit = 1.0
    for _ in 0..<abs(3 - exponent) { unit *= 10 }
    let rounded = 3 - exponent >= 0 ? (value * unit).rounded() / unit : (value / unit).rounded() * unit
    return rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)"
}
