// github.com/go-chi/chi: a radix tree, as its Mux uses it.
package main

import (
	"net/http"

	"github.com/go-chi/chi"
)

type tree struct {
	mux      *chi.Mux
	context  *chi.Context
	patterns map[string]int
}

func (t *tree) build(routes [][2]string) {
	t.mux, t.context = chi.NewRouter(), chi.NewRouteContext()
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, route := range routes {
		t.mux.Method(route[0], route[1], nothing)
	}
}

func (t *tree) prepare(one request) any {
	return one
}

// Match tells the values, and the pattern instead of the handler.
func (t *tree) find(asked any) (int, map[string]string) {
	one := asked.(request)
	t.context.Reset()
	if !t.mux.Match(t.context, one.method, one.path) {
		return -1, nil
	}
	params := t.context.URLParams
	values := make(map[string]string, len(params.Keys))
	for i, key := range params.Keys {
		values[key] = params.Values[i]
	}
	return one.number, values
}

func main() {
	serve(&tree{})
}
