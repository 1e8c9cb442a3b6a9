// A DNS server made with the library that CoreDNS is made with, so that it behaves as CoreDNS does
// on the wire: one query after the other on each TCP connection, answers compressed only where they
// would not fit, truncation by the client's buffer size.
//
// It answers what the name asks for; labels from the left:
//
//	d150.…   waits 150 milliseconds first
//	n20.…    has 20 addresses (A, AAAA)
//	nx.…     does not exist
//	fail.…   is a server failure
//	never.…  is not answered
//
// Usage: cluster_dns ADDRESS:PORT. It prints "ready" once it serves UDP and TCP.
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Number that a label carries behind its letter: 150 for "d150".
func numberOf(label string, letter byte) (int, bool) {
	if len(label) < 2 || label[0] != letter {
		return 0, false
	}
	number, err := strconv.Atoi(label[1:])
	return number, err == nil
}

func answer(w dns.ResponseWriter, query *dns.Msg) {
	question := query.Question[0]
	reply := new(dns.Msg)
	reply.SetReply(query)
	reply.Authoritative = true
	reply.RecursionAvailable = true
	count := 1
	for _, label := range strings.Split(strings.ToLower(question.Name), ".") {
		if wait, ok := numberOf(label, 'd'); ok {
			time.Sleep(time.Duration(wait) * time.Millisecond)
		} else if number, ok := numberOf(label, 'n'); ok {
			count = number
		} else if label == "nx" {
			reply.Rcode = dns.RcodeNameError
		} else if label == "fail" {
			reply.Rcode = dns.RcodeServerFailure
		} else if label == "never" {
			return
		}
	}
	soa, _ := dns.NewRR("cluster.test. 30 IN SOA ns.cluster.test. admin.cluster.test. 1 7200 1800 86400 30")
	header := dns.RR_Header{Name: question.Name, Class: dns.ClassINET, Ttl: 30}
	if reply.Rcode == dns.RcodeSuccess {
		for i := 0; i < count; i++ {
			switch question.Qtype {
			case dns.TypeA:
				header.Rrtype = dns.TypeA
				reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: net.IPv4(192, 0, 2, byte(i+1))})
			case dns.TypeAAAA:
				header.Rrtype = dns.TypeAAAA
				address := net.ParseIP(fmt.Sprintf("2001:db8::%x", i+1))
				reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: address})
			}
		}
	}
	if len(reply.Answer) == 0 && reply.Rcode != dns.RcodeServerFailure {
		reply.Ns = append(reply.Ns, soa)
	}
	size := dns.MinMsgSize
	if opt := query.IsEdns0(); opt != nil {
		size = int(opt.UDPSize())
		reply.SetEdns0(uint16(size), opt.Do())
	}
	if _, overTCP := w.RemoteAddr().(*net.TCPAddr); overTCP {
		size = dns.MaxMsgSize
	}
	// As CoreDNS: compressed only where it does not fit otherwise.
	if reply.Len() > size {
		reply.Compress = true
		reply.Truncate(size)
	}
	w.WriteMsg(reply)
}

func main() {
	address := os.Args[1]
	handler := dns.HandlerFunc(answer)
	started := make(chan bool)
	for _, network := range []string{"udp", "tcp"} {
		server := &dns.Server{Addr: address, Net: network, Handler: handler}
		server.NotifyStartedFunc = func() { started <- true }
		server.MaxTCPQueries = -1
		go func() {
			if err := server.ListenAndServe(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}()
	}
	<-started
	<-started
	fmt.Println("ready")
	select {}
}
