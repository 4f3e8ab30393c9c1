/// The line that is being edited, and the cursor in it.
struct LineBuffer: Equatable {
    private(set) var characters: [Character] = []
    /// The cursor stands before this character.
    private(set) var cursor = 0
    private var killed: [Character] = []

    init(_ text: String = "") { set(text) }

    var text: String { String(characters) }
    var beforeCursor: String { String(characters[..<cursor]) }
    var isEmpty: Bool { characters.isEmpty }

    mutating func set(_ text: String) {
        characters = Array(text)
        cursor = characters.count
    }

    mutating func insert(_ text: String) {
        characters.insert(contentsOf: text, at: cursor)
        cursor += text.count
    }

    /// Replaces the `count` characters before the cursor.
    mutating func replace(before count: Int, with text: String) {
        characters.removeSubrange((cursor - count)..<cursor)
        cursor -= count
        insert(text)
    }

    mutating func backspace() {
        guard cursor > 0 else { return }
        cursor -= 1
        characters.remove(at: cursor)
    }

    mutating func delete() {
        if cursor < characters.count { characters.remove(at: cursor) }
    }

    mutating func moveLeft() { cursor = max(0, cursor - 1) }
    mutating func moveRight() { cursor = min(characters.count, cursor + 1) }
    mutating func moveHome() { cursor = 0 }
    mutating func moveEnd() { cursor = characters.count }
    mutating func moveWordLeft() { cursor = wordStart }
    mutating func moveWordRight() { cursor = wordEnd }
    mutating func killToEnd() { kill(cursor..<characters.count) }
    mutating func killToStart() { kill(0..<cursor) }
    mutating func killWordBack() { kill(wordStart..<cursor) }
    mutating func killWordForward() { kill(cursor..<wordEnd) }

    /// Removes back to white space, as a shell's Ctrl-W does.
    mutating func killSpacedWordBack() {
        var start = cursor
        while start > 0 && characters[start - 1].isWhitespace { start -= 1 }
        while start > 0 && !characters[start - 1].isWhitespace { start -= 1 }
        kill(start..<cursor)
    }

    mutating func yank() { insert(String(killed)) }

    /// Swaps the two characters around the cursor and goes on.
    mutating func transpose() {
        guard characters.count > 1, cursor > 0 else { return }
        let right = min(cursor, characters.count - 1)
        characters.swapAt(right - 1, right)
        cursor = right + 1
    }

    private mutating func kill(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        killed = Array(characters[range])
        characters.removeSubrange(range)
        cursor = range.lowerBound
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }

    private var wordStart: Int {
        var index = cursor
        while index > 0 && !Self.isWord(characters[index - 1]) { index -= 1 }
        while index > 0 && Self.isWord(characters[index - 1]) { index -= 1 }
        return index
    }

    private var wordEnd: Int {
        var index = cursor
        while index < characters.count && !Self.isWord(characters[index]) { index += 1 }
        while index < characters.count && Self.isWord(characters[index]) { index += 1 }
        return index
    }
}
