//go:build go1.22

// From Go 1.22 on the standard mux has methods and parameters, which it puts into the request.
package main

import (
	"net/http"
	"regexp"
)

var parameter = regexp.MustCompile(`{(\w+)}`)

func (m *mux) build(routes [][2]string) {
	m.standard = http.NewServeMux()
	for number, route := range routes {
		number := number
		var names []string
		for _, found := range parameter.FindAllStringSubmatch(route[1], -1) {
			names = append(names, found[1])
		}
		m.standard.HandleFunc(route[0]+" "+route[1], func(_ http.ResponseWriter, r *http.Request) {
			values := make(map[string]string, len(names))
			for _, name := range names {
				values[name] = r.PathValue(name)
			}
			m.found, m.values = number, values
		})
	}
}

func (m *mux) find(asked any) (int, map[string]string) {
	m.found, m.values = -1, nil
	m.standard.ServeHTTP(nowhere{http.Header{}}, asked.(*http.Request))
	return m.found, m.values
}

func (m *mux) without(string) string {
	return ""
}
