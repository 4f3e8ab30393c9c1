import MartletModel

/// Reads RE2's syntax (https://github.com/google/re2/wiki/Syntax): literals, `.`, classes, groups, alternation, greedy
/// and lazy repetition, flags and the zero-width assertions. Not offered: Unicode classes `\p`, and what RE2 lacks too
/// (look-around, back-references).
struct RegexParser {
    private let pattern: [Unicode.Scalar]
    private var position = 0
    private var flags: RegexFlags
    private var depth = 0
    /// Capturing groups so far.
    private(set) var groupCount = 0

    init(_ pattern: String, flags: RegexFlags) {
        self.pattern = Array(pattern.unicodeScalars)
        self.flags = flags
    }

    mutating func parse() throws(MartletError) -> RegexNode {
        let node = try alternatives()
        if position < pattern.count { throw error("unexpected )") }
        return node
    }

    private func error(_ what: String) -> MartletError {
        var shown = String.UnicodeScalarView()
        shown.append(contentsOf: pattern.prefix(100))
        return MartletError(
            .invalidArgument, "the regular expression '\(String(shown))' is wrong at character \(position + 1): \(what)"
        )
    }

    private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
        position + offset < pattern.count ? pattern[position + offset] : nil
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        if peek() != scalar { return false }
        position += 1
        return true
    }

    private mutating func alternatives() throws(MartletError) -> RegexNode {
        depth += 1
        defer { depth -= 1 }
        if depth > 200 { throw error("groups are nested more than 200 deep") }
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    private mutating func sequence() throws(MartletError) -> RegexNode {
        var parts: [RegexNode] = []
        while let next = peek(), next != "|", next != ")" {
            guard let atom = try atom() else { continue }
            parts.append(try repeated(atom))
        }
        return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func repeated(_ atom: RegexNode) throws(MartletError) -> RegexNode {
        var node = atom
        var count = 0
        while let next = peek() {
            var least = 0
            var most: Int?
            switch next {
            case "*": position += 1
            case "+":
                position += 1
                least = 1
            case "?":
                position += 1
                most = 1
            case "{":
                guard let bounds = try self.bounds() else { return node }
                (least, most) = bounds
            default: return node
            }
            let isGreedy = !take("?")
            count += 1
            if count > 1 { throw error("nothing to repeat") }
            node = .repetition(node, least: least, most: most, isGreedy: isGreedy)
        }
        return node
    }

    /// `{2}`, `{2,}`, `{2,5}`; anything else in braces is literal text, as in RE2.
    private mutating func bounds() throws(MartletError) -> (Int, Int?)? {
        let start = position
        position += 1
        guard let least = number() else {
            position = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = peek() == "}" ? nil : number() ?? -1 }
        guard take("}"), most != -1 else {
            position = start
            return nil
        }
        if least > 1000 || (most ?? 0) > 1000 { throw error("a repetition is of at most 1000") }
        if let most, most < least { throw error("the repetition's bounds are crossed") }
        return (least, most)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let next = peek(), ("0"..."9").contains(next), (value ?? 0) < 100_000 {
            value = (value ?? 0) * 10 + Int(next.value - 0x30)
            position += 1
        }
        return value
    }

    private func literal(_ scalar: Unicode.Scalar) -> RegexNode {
        let set = ScalarSet([scalar.value...scalar.value])
        return .set(flags.ignoresCase ? set.ignoringCase : set)
    }

    /// The next atom, or `nil` for a flag group.
    private mutating func atom() throws(MartletError) -> RegexNode? {
        let next = pattern[position]
        position += 1
        switch next {
        case ".":
            return .set(flags.dotMatchesNewline ? .any : ScalarSet([0x0a...0x0a]).inverted)
        case "^": return .assertion(flags.isMultiline ? .lineStart : .textStart)
        case "$": return .assertion(flags.isMultiline ? .lineEnd : .textEnd)
        case "(": return try group()
        case "[": return .set(try characterClass())
        case "\\": return try escape()
        case "*", "+", "?": throw error("nothing to repeat")
        case "{":
            position -= 1
            if try bounds() != nil { throw error("nothing to repeat") }
            position += 1
            return literal("{")
        default: return literal(next)
        }
    }

    private mutating func group() throws(MartletError) -> RegexNode? {
        guard take("?") else {
            groupCount += 1
            let index = groupCount
            return try closed(index)
        }
        if peek() == "P" || peek() == "<" {
            _ = take("P")
            guard take("<") else { throw error("a group's name stands in <>") }
            var length = 0
            while let next = peek(), next != ">" {
                guard next == "_" || next.properties.isAlphabetic || ("0"..."9").contains(next) else {
                    throw error("a group's name is made of letters, digits and _")
                }
                position += 1
                length += 1
            }
            guard length > 0, take(">") else { throw error("a group's name stands in <>") }
            groupCount += 1
            let index = groupCount
            return try closed(index)
        }
        var isOn = true
        var changed = flags
        while let next = peek() {
            position += 1
            switch next {
            case "i": changed.ignoresCase = isOn
            case "s": changed.dotMatchesNewline = isOn
            case "m": changed.isMultiline = isOn
            case "-": isOn = false
            case ")":
                flags = changed
                return nil
            case ":":
                let outer = flags
                flags = changed
                let node = try closed(nil)
                flags = outer
                return node
            default: throw error("(?\(next) is not offered")
            }
        }
        throw error("a group is not closed")
    }

    private mutating func closed(_ index: Int?) throws(MartletError) -> RegexNode {
        let outer = flags
        let inner = try alternatives()
        flags = outer
        guard take(")") else { throw error("a group is not closed") }
        return .group(inner, index: index)
    }

    private mutating func escape() throws(MartletError) -> RegexNode {
        guard let next = peek() else { throw error("a \\ ends the expression") }
        switch next {
        case "b":
            position += 1
            return .assertion(.wordBoundary)
        case "B":
            position += 1
            return .assertion(.noWordBoundary)
        case "A":
            position += 1
            return .assertion(.textStart)
        case "z":
            position += 1
            return .assertion(.textEnd)
        case "Q":
            position += 1
            var parts: [RegexNode] = []
            while let scalar = peek() {
                if scalar == "\\", peek(1) == "E" {
                    position += 2
                    break
                }
                parts.append(literal(scalar))
                position += 1
            }
            return .sequence(parts)
        default: break
        }
        if let set = classEscape() { return .set(set) }
        return literal(try scalarEscape())
    }

    /// `\d \D \w \W \s \S`
    private mutating func classEscape() -> ScalarSet? {
        let set: ScalarSet
        switch peek() {
        case "d": set = .digits
        case "D": set = ScalarSet.digits.inverted
        case "w": set = .words
        case "W": set = ScalarSet.words.inverted
        case "s": set = .spaces
        case "S": set = ScalarSet.spaces.inverted
        default: return nil
        }
        position += 1
        return set
    }

    private mutating func scalarEscape() throws(MartletError) -> Unicode.Scalar {
        guard let next = peek() else { throw error("a \\ ends the expression") }
        position += 1
        switch next {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "f": return "\u{0c}"
        case "v": return "\u{0b}"
        case "a": return "\u{07}"
        case "x":
            let isBraced = take("{")
            var value: UInt32 = 0
            var digits = 0
            while digits < (isBraced ? 6 : 2), let digit = hexValue(peek()) {
                value = value * 16 + digit
                digits += 1
                position += 1
            }
            guard digits > 0, !isBraced || take("}"), let scalar = Unicode.Scalar(value) else {
                throw error("\\x needs a code point in hexadecimal")
            }
            return scalar
        default:
            let isWord =
                next == "_" || ("a"..."z").contains(next) || ("A"..."Z").contains(next) || ("0"..."9").contains(next)
            if isWord { throw error("\\\(next) is not offered") }
            return next
        }
    }

    private func hexValue(_ scalar: Unicode.Scalar?) -> UInt32? {
        switch scalar {
        case let digit? where ("0"..."9").contains(digit): digit.value - 0x30
        case let digit? where ("a"..."f").contains(digit): digit.value - 0x61 + 10
        case let digit? where ("A"..."F").contains(digit): digit.value - 0x41 + 10
        default: nil
        }
    }

    private mutating func characterClass() throws(MartletError) -> ScalarSet {
        let isNegated = take("^")
        var set = ScalarSet([])
        var isFirst = true
        while true {
            guard let next = peek() else { throw error("a class is not closed") }
            if next == "]", !isFirst {
                position += 1
                break
            }
            isFirst = false
            if next == "[", peek(1) == ":" {
                set.insert(try namedClass())
                continue
            }
            if next == "\\" {
                position += 1
                if let escaped = classEscape() {
                    set.insert(escaped)
                    continue
                }
                position -= 1
            }
            let low = try classScalar()
            if peek() == "-", let after = peek(1), after != "]" {
                position += 1
                let high = try classScalar()
                guard low.value <= high.value else { throw error("a range of a class is crossed") }
                set.insert(ScalarSet([low.value...high.value]))
            } else {
                set.insert(ScalarSet([low.value...low.value]))
            }
        }
        if flags.ignoresCase { set = set.ignoringCase }
        return isNegated ? set.inverted : set
    }

    private mutating func classScalar() throws(MartletError) -> Unicode.Scalar {
        guard let next = peek() else { throw error("a class is not closed") }
        position += 1
        return next == "\\" ? try scalarEscape() : next
    }

    private mutating func namedClass() throws(MartletError) -> ScalarSet {
        let names: [(String, ScalarSet)] = [
            ("alpha", ScalarSet([0x41...0x5a, 0x61...0x7a])), ("digit", .digits), ("space", .spaces), ("word", .words),
            ("alnum", ScalarSet([0x30...0x39, 0x41...0x5a, 0x61...0x7a])), ("upper", ScalarSet([0x41...0x5a])),
            ("lower", ScalarSet([0x61...0x7a])),
            ("punct", ScalarSet([0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e])),
            ("xdigit", ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66])),
            ("blank", ScalarSet([0x09...0x09, 0x20...0x20])),
            ("cntrl", ScalarSet([0...0x1f, 0x7f...0x7f])), ("print", ScalarSet([0x20...0x7e])),
            ("graph", ScalarSet([0x21...0x7e])), ("ascii", ScalarSet([0...0x7f])),
        ]
        for (name, set) in names {
            let scalars = Array("[:\(name):]".unicodeScalars)
            if position + scalars.count <= pattern.count,
                Array(pattern[position..<(position + scalars.count)]) == scalars
            {
                position += scalars.count
                return set
            }
        }
        throw error("unknown class name")
    }
}
