import Martlet

let database = try Database.open(at: CommandLine.arguments.dropFirst().first ?? "home.martlet")
let home = try database.namespace("default")

try home.append([
    Row("room", tags: ["name": "kitchen"], fields: ["temperature": 21.5, "humidity": 40]),
    Row("room", tags: ["name": "cellar"], fields: ["temperature": 12.25, "humidity": 71]),
])

struct Reading: Decodable { let name: String, temperature: Double }
let readings = try home.query("SELECT name, temperature FROM latest(room) ORDER BY name", as: Reading.self)
for reading in readings { print("\(reading.name): \(reading.temperature) °C") }

try database.close()
