// The adapter protocol for Node: JSON lines on stdin and stdout, independent of any library.
'use strict'

const readline = require('readline')

const CONCURRENCY = 4 // operations at once; further callers wait

function say(line) {
  process.stdout.write(JSON.stringify(line) + '\n')
}

const listening = () => say({ id: 0, ok: true })
const gap = () => say({ gap: true })
const notification = (payload) => say({ notification: { payload } })

// `perform` carries out one request and returns what its answer holds besides `ok`, or throws; `describe`
// makes the error of an answer of what it threw. Anything thrown elsewhere is a bug: Node ends the process.
function serve({ name, version, capabilities, timeoutMs, perform, describe, listen, close }) {
  say({ hello: { name, version, concurrency: CONCURRENCY, capabilities, timeout_ms: timeoutMs } })
  const lines = readline.createInterface({ input: process.stdin })
  lines.on('line', async (line) => {
    const request = JSON.parse(line)
    if (request.op === 'listen') return listen()
    let answer
    try {
      answer = { ok: true, ...(await perform(request)) }
    } catch (error) {
      answer = { error: describe(error) }
    }
    say({ id: request.id, ...answer })
  })
  lines.on('close', () => {
    setTimeout(() => process.exit(0), 1500) // ms; a hung operation ends with the process
    close().then(() => process.exit(0))
  })
}

module.exports = { serve, listening, gap, notification }
