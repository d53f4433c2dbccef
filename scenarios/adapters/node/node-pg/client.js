// node-postgres: pg.Pool for operations, a pg.Client of its own that listens.
// https://node-postgres.com: apis/client, apis/pool, features/ssl and features/transactions.
// There is no "deadline": query_timeout is a setting of a client, and version 8.8 has none for one call.
'use strict'

const fs = require('fs')
const pg = require('pg')
const { version } = require('pg/package.json')
const { serve, listening, gap, notification } = require('./adapter')

const INSERT = 'INSERT INTO pgsquall_ledger (id) VALUES ($1)'
const SELECT = 'SELECT 1 FROM pgsquall_ledger WHERE id = $1'
const LISTEN_PAUSE = 1000 // ms before it listens again; the documentation names none

const TIMEOUT = 5000 // ms
const TUNED = {
  connectionTimeoutMillis: TIMEOUT, // waiting for the pool and connecting: one setting for both
  query_timeout: TIMEOUT, // the client's timer, for each statement
  statement_timeout: TIMEOUT, // the server's
  keepAlive: true,
  keepAliveInitialDelayMillis: 2000, // ms of silence before the first probe; the rest is the kernel's
}
// Transaction: waiting and connecting; BEGIN, SELECT, INSERT, COMMIT, and a ROLLBACK after any of them.
const LONGEST_OPERATION = 6 * TIMEOUT

const tuned = process.argv[process.argv.length - 1] === 'tuned'
// The library reads the address and the password from libpq's variables.
const config = { ssl: ssl(), ...(tuned ? TUNED : {}) }
const pool = new pg.Pool({ ...config, max: 4 })

// A connection lost while idle, or while in use: without an error listener, either ends Node.
pool.on('error', (error) => console.error(`an idle client was lost: ${error.message}`))
pool.on('connect', (client) => client.on('error', () => {})) // the operation gets the error too

// Files are read once: the library has no function to read them again. `host`, because node-postgres does not tell
// tls.connect of an address, which would verify "localhost" instead.
function ssl() {
  const { PGSSLMODE, PGSSLROOTCERT, PGSSLCERT, PGSSLKEY, PGHOST } = process.env
  if (PGSSLMODE === 'disable') return false
  const [ca, cert, key] = [PGSSLROOTCERT, PGSSLCERT, PGSSLKEY].map((path) => path && fs.readFileSync(path))
  return { ca, cert, key, rejectUnauthorized: PGSSLMODE !== 'require' || Boolean(ca), host: PGHOST }
}

async function perform({ op, key }) {
  if (op === 'read') {
    const { rowCount } = await pool.query(SELECT, [key])
    return { found: rowCount > 0 }
  }
  if (op === 'write') await pool.query(INSERT, [key])
  else await transaction(key)
}

// As in the documentation; so an error of ROLLBACK hides the first error.
async function transaction(key) {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('SELECT 1')
    await client.query(INSERT, [key])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}

function describe(error) {
  const message = error.message || error.code || String(error)
  if (error instanceof pg.DatabaseError) return { message, sqlstate: error.code }
  const codes = { ECONNREFUSED: 'refused', ECONNRESET: 'reset', EPIPE: 'reset', ETIMEDOUT: 'timeout' }
  if (codes[error.code]) return { message, kind: codes[error.code] }
  if (/timeout/.test(message)) return { message, kind: 'timeout' }
  if (/terminated unexpectedly/.test(message)) return { message, kind: 'closed' }
  return { message }
}

async function listen() {
  for (let before = false; ; before = true) {
    const client = await subscribe()
    if (before) gap()
    else listening()
    await new Promise((resolve) => client.once('end', resolve))
    await pause()
  }
}

// Retries until it listens. An 'error' is followed by 'end'.
async function subscribe() {
  for (;;) {
    const client = new pg.Client(config)
    client.on('error', (error) => console.error(`not listening: ${error.message}`))
    client.on('notification', ({ payload }) => notification(payload))
    try {
      await client.connect()
      await client.query('LISTEN pgsquall_news')
      return client
    } catch (error) {
      console.error(`not listening: ${error.message}`)
      client.end().catch(() => {})
      await pause()
    }
  }
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, LISTEN_PAUSE))
}

serve({
  name: 'node-pg',
  version,
  capabilities: ['transaction', 'listen', 'tls'],
  timeoutMs: tuned ? LONGEST_OPERATION : undefined,
  perform,
  describe,
  listen,
  close: () => pool.end(),
})
