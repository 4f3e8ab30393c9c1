/// Prometheus' text exposition format, version 0.0.4.
enum PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    static func text(of figures: [Figure]) -> String {
        var text = ""
        for figure in figures {
            let name = "martlet_" + figure.name
            let help = figure.help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
            let isWhole = figure.value.magnitude < 1e15 && figure.value == figure.value.rounded(.towardZero)
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(figure.kind.rawValue)\n"
            text += "\(name) \(isWhole ? "\(Int(figure.value))" : "\(figure.value)")\n"
        }
        return text
    }
}
