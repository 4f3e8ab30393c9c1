import Foundation
import Martlet
import MartletModel

/// A terminal in raw mode, on which one line is edited.
final class RawTerminal {
    private var saved = termios()
    private var parser = KeyParser()
    private var pending: [Key] = []

    /// Reads one line. Long lines scroll sideways within one row of the screen.
    ///
    /// - Returns: the accepted text; `nil` for the end of input.
    /// - Throws: `Interrupted` for Ctrl-C.
    func readLine(prompt: String, editor start: LineEditor) throws -> String? {
        try enterRawMode()
        defer { leaveRawMode() }
        var editor = start
        draw(editor, prompt)
        while true {
            guard let key = nextKey() else { return nil }
            switch editor.handle(key) {
            case .editing: draw(editor, prompt)
            case .clear:
                Terminal.write("\u{1b}[H\u{1b}[2J")
                draw(editor, prompt)
            case .choices(let names):
                Terminal.write("\r\n" + Self.columns(names, width: Terminal.size.columns))
                draw(editor, prompt)
            case .accepted(let text):
                finish(editor, prompt)
                return text
            case .interrupted:
                Terminal.write("^C\r\n")
                throw Interrupted()
            case .ended:
                Terminal.write("\r\n")
                return nil
            }
        }
    }

    /// Ctrl-C at the prompt.
    struct Interrupted: Error {}

    private func nextKey() -> Key? {
        while pending.isEmpty {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = read(STDIN_FILENO, &bytes, bytes.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            pending = parser.feed(Array(bytes[..<count]))
        }
        return pending.removeFirst()
    }

    private func enterRawMode() throws {
        guard tcgetattr(STDIN_FILENO, &saved) == 0 else {
            throw CommandFailure("the terminal's settings cannot be read: \(String(cString: strerror(errno)))")
        }
        var raw = saved
        raw.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INPCK | ISTRIP | IXON)
        raw.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN | ISIG)
        guard tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0 else {
            throw CommandFailure("the terminal's settings cannot be changed: \(String(cString: strerror(errno)))")
        }
        Terminal.write("\u{1b}[?2004h")
    }

    private func leaveRawMode() {
        Terminal.write("\u{1b}[?2004l")
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved)
    }

    private func draw(_ editor: LineEditor, _ prompt: String) {
        let prompt = editor.searchPrompt ?? prompt
        let room = max(8, Terminal.size.columns - DisplayWidth.of(prompt) - 1)
        let view = Self.view(of: editor.buffer, room: room)
        let column = DisplayWidth.of(prompt) + view.cursor
        Terminal.write("\r\(prompt)\(view.text)\u{1b}[K\r\(column > 0 ? "\u{1b}[\(column)C" : "")")
    }

    /// Leaves the whole line on the screen before its result follows.
    private func finish(_ editor: LineEditor, _ prompt: String) {
        let text = editor.buffer.text.replacingOccurrences(of: "\n", with: "\r\n")
        Terminal.write("\r\(prompt)\(text)\u{1b}[K\r\n")
    }

    /// The part of the line around the cursor that fits `room` columns, and the cursor's column in it.
    static func view(of buffer: LineBuffer, room: Int) -> (text: String, cursor: Int) {
        let shown = buffer.characters.map {
            $0 == "\n" ? "↵" : Character(DisplayWidth.printable(String($0)).first.map(String.init) ?? "?")
        }
        let widths = shown.map(DisplayWidth.of)
        var start = 0
        while widths[start..<buffer.cursor].reduce(0, +) >= room { start += 1 }
        var text = ""
        var used = 0
        for index in start..<shown.count {
            guard used + widths[index] <= room else { break }
            used += widths[index]
            text.append(shown[index])
        }
        return (text, widths[start..<buffer.cursor].reduce(0, +))
    }

    /// Names in as many columns as fit, at most twenty lines.
    static func columns(_ names: [String], width: Int) -> String {
        let cell = (names.map(DisplayWidth.of).max() ?? 0) + 2
        let perLine = max(1, width / cell)
        let shown = names.prefix(perLine * 20)
        var text = ""
        for (index, name) in shown.enumerated() {
            text += name
            if (index + 1) % perLine == 0 || index == shown.count - 1 {
                text += "\r\n"
            } else {
                text += String(repeating: " ", count: cell - DisplayWidth.of(name))
            }
        }
        if shown.count < names.count { text += "(\(names.count - shown.count) more)\r\n" }
        return text
    }
}
