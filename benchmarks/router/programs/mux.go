// The standard library's net/http.ServeMux. What it can depends on its version: see mux_*.go.
package main

import (
	"net/http"
)

type mux struct {
	standard *http.ServeMux
	found    int
	values   map[string]string
}

// A response that nobody reads.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header             { return w.header }
func (w nowhere) Write(bytes []byte) (int, error) { return len(bytes), nil }
func (w nowhere) WriteHeader(int)                 {}

func (m *mux) prepare(one request) any {
	made, err := http.NewRequest(one.method, "http://localhost"+one.path, nil)
	must(err)
	return made
}

func main() {
	serve(&mux{})
}
