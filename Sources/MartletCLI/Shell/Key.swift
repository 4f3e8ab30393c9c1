/// A key press as a terminal sends it.
enum Key: Equatable, Sendable {
    case character(Character)
    case control(Character)
    case meta(Character)
    case enter, tab, backspace, delete, escape
    case left, right, up, down, home, end, wordLeft, wordRight
    /// Pasted text, when the terminal marks it.
    case paste(String)
    /// Bytes that mean nothing here.
    case unknown
}

/// Reads keys out of the bytes of a terminal in raw mode: UTF-8, control bytes and the sequences of xterm and its kin.
struct KeyParser {
    private var bytes: [UInt8] = []
    private var pasted: [UInt8]?

    /// Adds bytes and returns the keys that they complete. An escape byte alone at the end of `new` is the escape key.
    mutating func feed(_ new: [UInt8]) -> [Key] {
        bytes += new
        var keys: [Key] = []
        while let key = next() { keys.append(key) }
        return keys
    }

    private mutating func next() -> Key? {
        if pasted != nil { return nextPasted() }
        guard let first = bytes.first else { return nil }
        switch first {
        case 0x1b: return escapeSequence()
        case 0x0d, 0x0a: return take(1, .enter)
        case 0x09: return take(1, .tab)
        case 0x7f, 0x08: return take(1, .backspace)
        case 0..<0x20: return take(1, .control(Character(Unicode.Scalar(first + 0x60))))
        default: return text()
        }
    }

    private mutating func take(_ count: Int, _ key: Key) -> Key {
        bytes.removeFirst(count)
        return key
    }

    private mutating func text() -> Key? {
        let first = bytes[0]
        let length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0
        guard length > 0 else { return take(1, .unknown) }
        guard bytes.count >= length else { return nil }
        guard let text = String(validating: bytes[..<length], as: UTF8.self), let character = text.first else {
            return take(1, .unknown)
        }
        return take(length, .character(character))
    }

    private mutating func escapeSequence() -> Key? {
        guard bytes.count > 1 else { return take(1, .escape) }
        switch bytes[1] {
        case UInt8(ascii: "["), UInt8(ascii: "O"): return controlSequence()
        case 0x7f, 0x08: return take(2, .meta("\u{7f}"))
        case 0x20..<0x7f: return take(2, .meta(Character(Unicode.Scalar(bytes[1]))))
        default: return take(1, .escape)
        }
    }

    /// `ESC [ parameters letter` (ECMA-48 5.4) and `ESC O letter`.
    private mutating func controlSequence() -> Key? {
        guard let end = bytes.indices.dropFirst(2).first(where: { (0x40...0x7e).contains(bytes[$0]) }) else {
            return bytes.count > 16 ? take(bytes.count, .unknown) : nil
        }
        let parameters = String(decoding: bytes[2..<end], as: UTF8.self)
        let letter = Character(Unicode.Scalar(bytes[end]))
        bytes.removeFirst(end + 1)
        let isWord = parameters.hasSuffix(";5") || parameters.hasSuffix(";3")
        switch (letter, parameters) {
        case ("A", _): return .up
        case ("B", _): return .down
        case ("C", _): return isWord ? .wordRight : .right
        case ("D", _): return isWord ? .wordLeft : .left
        case ("H", _), ("~", "1"), ("~", "7"): return .home
        case ("F", _), ("~", "4"), ("~", "8"): return .end
        case ("~", "3"): return .delete
        case ("~", "200"):
            pasted = []
            return nextPasted()
        default: return .unknown
        }
    }

    /// Collects what stands between the marks of a bracketed paste.
    private mutating func nextPasted() -> Key? {
        let mark: [UInt8] = [0x1b] + Array("[201~".utf8)
        pasted! += bytes
        bytes = []
        let all = pasted!
        guard all.count >= mark.count,
            let end = (0...(all.count - mark.count)).first(where: { Array(all[$0..<$0 + mark.count]) == mark })
        else { return nil }
        bytes = Array(all[(end + mark.count)...])
        pasted = nil
        return .paste(String(decoding: all[..<end], as: UTF8.self))
    }
}
