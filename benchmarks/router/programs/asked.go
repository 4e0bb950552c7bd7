// What the programs in Go share: the protocol of inside.py.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

type request struct {
	method, path string
	number       int // of its route; -1: of none
	values       map[string]string
}

type table struct {
	routes   [][2]string
	requests map[string][]request
}

// A router: how it is built, and what it finds: the number of a route or -1, and the values.
type router interface {
	build(routes [][2]string)
	prepare(request) any
	find(any) (int, map[string]string)
}

// A router that cannot have some routes says so of a kind of requests; "" else.
type unable interface {
	without(kind string) string
}

func read(name string) table {
	text, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	var raw struct {
		Routes   [][2]string
		Requests map[string][][4]json.RawMessage
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		panic(err)
	}
	found := table{raw.Routes, map[string][]request{}}
	for kind, all := range raw.Requests {
		for _, one := range all {
			asked := request{number: -1}
			must(json.Unmarshal(one[0], &asked.method))
			must(json.Unmarshal(one[1], &asked.path))
			if string(one[2]) != "null" {
				must(json.Unmarshal(one[2], &asked.number))
			}
			must(json.Unmarshal(one[3], &asked.values))
			found.requests[kind] = append(found.requests[kind], asked)
		}
	}
	return found
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Seconds of CPU time of this process.
func used() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func check(r router, asked []request) any {
	for _, one := range asked {
		number, values := r.find(r.prepare(one))
		right := number == one.number && (number < 0 || len(values) == len(one.values))
		for name, value := range one.values {
			right = right && values[name] == value
		}
		if !right {
			return fmt.Sprintf("answers %d %v for %s %s", number, values, one.method, one.path)
		}
	}
	return nil
}

func timed(r router, requests []any, times int) float64 {
	started := used()
	for n := 0; n < times; n++ {
		for _, one := range requests {
			r.find(one)
		}
	}
	return used() - started
}

func serve(r router) {
	asked := read(os.Args[1])
	prepared := map[string][]any{}
	debug.FreeOSMemory()
	fmt.Println("{}")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		answer := map[string]any{}
		switch words[0] {
		case "build":
			started := used()
			r.build(asked.routes)
			answer["seconds"] = used() - started
			debug.FreeOSMemory()
		case "check":
			without := map[string]string{}
			answer["wrong"], answer["without"] = nil, without
			for kind, requests := range asked.requests {
				if some, ok := r.(unable); ok && some.without(kind) != "" {
					without[kind] = some.without(kind)
					continue
				}
				if wrong := check(r, requests); wrong != nil {
					answer["wrong"] = wrong
				}
				for _, one := range requests {
					prepared[kind] = append(prepared[kind], r.prepare(one))
				}
			}
		default:
			seconds, err := strconv.ParseFloat(words[1], 64)
			must(err)
			requests := prepared[words[0]]
			timed(r, requests, 2)
			taken := timed(r, requests, 3)/3 + 1e-6
			times := int(seconds/taken) + 1
			matches := times * len(requests)
			answer["ns"] = timed(r, requests, times) / float64(matches) * 1e9
			answer["matches"] = matches
		}
		text, err := json.Marshal(answer)
		must(err)
		fmt.Println(string(text))
	}
}
