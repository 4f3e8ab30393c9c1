import MartletModel

/// A LIKE pattern: `%` is any text, `_` one code point, the escape character makes the next one literal.
///
/// Matching goes back only to the last `%`, so it takes at most text times pattern steps.
package struct LikePattern: Sendable {
    private enum Element: Sendable, Equatable {
        case any
        case one
        case scalar(Unicode.Scalar)
    }

    private let elements: [Element]
    private let ignoresCase: Bool
    /// The pattern's text when it has the forms `x`, `x%`, `%x` or `%x%` without `_`.
    private let fast: (kind: FastKind, text: [UInt8])?

    private enum FastKind: Sendable { case equal, prefix, suffix, infix }

    /// Reads a pattern.
    ///
    /// - Throws: `.invalidArgument` when the escape character ends the pattern.
    package init(
        _ pattern: String, escape: Unicode.Scalar? = nil, ignoresCase: Bool = false
    ) throws(MartletError) {
        var elements: [Element] = []
        var isEscaped = false
        for scalar in pattern.unicodeScalars {
            if isEscaped {
                elements.append(.scalar(ignoresCase ? CaseMapping.map(scalar, upper: false) : scalar))
                isEscaped = false
            } else if scalar == escape {
                isEscaped = true
            } else if scalar == "%" {
                if elements.last != .any { elements.append(.any) }
            } else if scalar == "_" {
                elements.append(.one)
            } else {
                elements.append(.scalar(ignoresCase ? CaseMapping.map(scalar, upper: false) : scalar))
            }
        }
        if isEscaped {
            throw MartletError(.invalidArgument, "the LIKE pattern '\(pattern)' ends with its escape character")
        }
        self.elements = elements
        self.ignoresCase = ignoresCase
        fast = ignoresCase ? nil : Self.fastForm(elements)
    }

    private static func fastForm(_ elements: [Element]) -> (FastKind, [UInt8])? {
        var middle = elements[...]
        let opens = middle.first == .any
        if opens { middle.removeFirst() }
        let closes = middle.last == .any
        if closes { middle.removeLast() }
        var bytes: [UInt8] = []
        for element in middle {
            guard case .scalar(let scalar) = element else { return nil }
            bytes += Array(UTF8.encode(scalar)!)
        }
        switch (opens, closes) {
        case (false, false): return (.equal, bytes)
        case (false, true): return (.prefix, bytes)
        case (true, false): return (bytes.isEmpty ? .infix : .suffix, bytes)
        case (true, true): return (.infix, bytes)
        }
    }

    /// Whether `text` matches as a whole.
    package func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        if let fast {
            return fast.text.withUnsafeBytes { part in
                switch fast.kind {
                case .equal: return ByteStringIndex.equal(text, part)
                case .prefix:
                    return text.count >= part.count
                        && TextKernels.compare(TextKernels.part(text, 0..<part.count), part) == 0
                case .suffix:
                    return text.count >= part.count
                        && TextKernels.compare(TextKernels.part(text, (text.count - part.count)..<text.count), part)
                            == 0
                case .infix: return TextKernels.find(part, in: text) != nil
                }
            }
        }
        let scalars = Array(String(decoding: text, as: UTF8.self).unicodeScalars)
        var position = 0
        var element = 0
        var resume: (element: Int, position: Int)?
        while position < scalars.count {
            if element < elements.count, elements[element] == .any {
                resume = (element + 1, position)
                element += 1
            } else if element < elements.count, matches(elements[element], scalars[position]) {
                element += 1
                position += 1
            } else if let last = resume {
                resume = (last.element, last.position + 1)
                element = last.element
                position = last.position + 1
            } else {
                return false
            }
        }
        while element < elements.count, elements[element] == .any { element += 1 }
        return element == elements.count
    }

    private func matches(_ element: Element, _ scalar: Unicode.Scalar) -> Bool {
        switch element {
        case .any, .one: true
        case .scalar(let expected): expected == (ignoresCase ? CaseMapping.map(scalar, upper: false) : scalar)
        }
    }
}
