// find-my-way, the router of Fastify. The protocol is that of inside.py; needs node --expose-gc.
'use strict'

const fs = require('fs')
const readline = require('readline')
const findMyWay = require('find-my-way')

const table = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const handlers = table.routes.map(() => () => {})
let router

function build () {
  const started = process.cpuUsage()
  router = findMyWay({ maxParamLength: 1000 })
  table.routes.forEach(([method, path], n) => {
    router.on(method, path.replace(/\{(\w+)\}/g, ':$1'), handlers[n])
  })
  return { seconds: used(started) }
}

function used (started) {
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1e6
}

function check () {
  for (const requests of Object.values(table.requests)) {
    for (const [method, path, number, values] of requests) {
      const found = router.find(method, path)
      const right = number === null
        ? found === null
        : found !== null && found.handler === handlers[number] &&
          Object.keys(found.params).length === Object.keys(values).length &&
          Object.keys(values).every((name) => found.params[name] === values[name])
      if (!right) return { wrong: `answers ${JSON.stringify(found && found.params)} for ${method} ${path}` }
    }
  }
  return { wrong: null }
}

let kept = null // an answer that nobody looks at might not be made

function timed (requests, times) {
  const started = process.cpuUsage()
  for (let n = 0; n < times; n++) {
    for (let i = 0; i < requests.length; i++) kept = router.find(requests[i][0], requests[i][1])
  }
  return used(started)
}

function measure (kind, seconds) {
  const requests = table.requests[kind]
  timed(requests, 20) // to warm up
  const taken = Math.max(timed(requests, 10) / 10, 1e-6)
  const times = Math.max(1, Math.floor(seconds / taken))
  const matches = times * requests.length
  return { ns: timed(requests, times) / matches * 1e9, matches }
}

global.gc()
console.log('{}')
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [word, seconds] = line.split(' ')
  const answer = word === 'build' ? build() : word === 'check' ? check() : measure(word, Number(seconds))
  global.gc()
  console.log(JSON.stringify(answer))
  if (kept === undefined) throw new Error('find() answers nothing')
})
