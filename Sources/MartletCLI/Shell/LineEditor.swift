import Martlet
import Foundation
import MartletModel

/// What a key press leads to.
enum EditOutcome: Equatable {
    /// The line has changed, or not: draw it again.
    case editing
    /// The line is done.
    case accepted(String)
    /// Ctrl-C: the line is given up.
    case interrupted
    /// Ctrl-D on an empty line.
    case ended
    /// Ctrl-L: clear the screen.
    case clear
    /// Tab: several completions are possible; show them.
    case choices([String])
}

/// Edits one line by keys, without a terminal: emacs' keys, history, reverse search, completion.
struct LineEditor {
    /// Completions of the word before the cursor: how many characters they replace, and the candidates.
    typealias Completer = (_ beforeCursor: String) -> (replaced: Int, candidates: [String])

    private(set) var buffer = LineBuffer()
    private let history: [String]
    private var historyIndex: Int
    private var draft = ""
    private var search: (text: String, index: Int?)?
    private let find: (String, Int) -> Int?
    private let complete: Completer

    /// - Parameter history: earlier lines, oldest first.
    init(history: History, complete: @escaping Completer) {
        self.history = history.entries
        historyIndex = history.entries.count
        find = { history.search($0, before: $1) }
        self.complete = complete
    }

    /// The text to show before the line while a reverse search goes on.
    var searchPrompt: String? {
        search.map { "(\($0.index == nil && !$0.text.isEmpty ? "failed " : "")reverse search) '\($0.text)': " }
    }

    /// Applies a key.
    mutating func handle(_ key: Key) -> EditOutcome {
        if search != nil, let outcome = handleSearch(key) { return outcome }
        switch key {
        case .enter: return .accepted(buffer.text)
        case .control("c"): return .interrupted
        case .control("d"):
            if buffer.isEmpty { return .ended }
            buffer.delete()
        case .control("l"): return .clear
        case .control("r"): search = ("", nil)
        case .tab: return completeWord()
        case .up, .control("p"): recall(historyIndex - 1)
        case .down, .control("n"): recall(historyIndex + 1)
        case .character(let character): buffer.insert(String(character))
        case .paste(let text):
            buffer.insert(text.replacingOccurrences(of: "\r\n", with: "\n").replacingOccurrences(of: "\r", with: "\n"))
        default: edit(key)
        }
        return .editing
    }

    private mutating func edit(_ key: Key) {
        switch key {
        case .backspace: buffer.backspace()
        case .delete: buffer.delete()
        case .left, .control("b"): buffer.moveLeft()
        case .right, .control("f"): buffer.moveRight()
        case .home, .control("a"): buffer.moveHome()
        case .end, .control("e"): buffer.moveEnd()
        case .wordLeft, .meta("b"): buffer.moveWordLeft()
        case .wordRight, .meta("f"): buffer.moveWordRight()
        case .control("k"): buffer.killToEnd()
        case .control("u"): buffer.killToStart()
        case .control("w"): buffer.killSpacedWordBack()
        case .meta("\u{7f}"): buffer.killWordBack()
        case .meta("d"): buffer.killWordForward()
        case .control("y"): buffer.yank()
        case .control("t"): buffer.transpose()
        default: break
        }
    }

    private mutating func recall(_ index: Int) {
        guard index >= 0, index <= history.count, index != historyIndex else { return }
        if historyIndex == history.count { draft = buffer.text }
        historyIndex = index
        buffer.set(index == history.count ? draft : history[index])
    }

    /// A key during a reverse search; `nil` when the search ends and the key is to be applied to what was found.
    private mutating func handleSearch(_ key: Key) -> EditOutcome? {
        guard var (text, index) = search else { return nil }
        switch key {
        case .character(let character):
            text.append(character)
            index = find(text, history.count)
        case .backspace:
            if !text.isEmpty { text.removeLast() }
            index = find(text, history.count)
        case .control("r"): index = find(text, index ?? history.count) ?? index
        case .control("g"), .control("c"), .escape:
            search = nil
            buffer.set(draft)
            return .editing
        default:
            search = nil
            return nil
        }
        if search?.text.isEmpty == true && search?.index == nil { draft = buffer.text }
        search = (text, index)
        if let index { buffer.set(history[index]) }
        return .editing
    }

    private mutating func completeWord() -> EditOutcome {
        let (replaced, candidates) = complete(buffer.beforeCursor)
        guard let first = candidates.first else { return .editing }
        if candidates.count == 1 {
            buffer.replace(before: replaced, with: first + " ")
            return .editing
        }
        let common = candidates.dropFirst().reduce(first) { Self.commonPrefix($0, $1) }
        if common.count > replaced {
            buffer.replace(before: replaced, with: common)
            return .editing
        }
        return .choices(candidates)
    }

    private static func commonPrefix(_ left: String, _ right: String) -> String {
        String(zip(left, right).prefix { $0.lowercased() == $1.lowercased() }.map(\.0))
    }
}
