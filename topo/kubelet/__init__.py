"""The kubelet's server: streams from and to what runs in pods, at the real kubelet's paths.

    __main__      the process
    server        requests on the Unix socket: HTTP/1.1, and which of the others answers
    targets       the pod and container that a path names
    logs          a container's log: which lines, followed to its end
    inotify       to be told that a file changed
    execute       exec: a process in the container, as long as its connection
    attach        attach: what the container writes from now on, and its input
    port_forward  connections to ports of a pod's own loopback
    upgrade       from a request to streams: which protocol the client speaks
    remote        what exec, attach and port-forward need of a connection: streams, whatever carries them
    websocket     … carried by WebSocket (v4.channel.k8s.io, v5.channel.k8s.io, portforward.k8s.io)
    spdy_streams  … carried by SPDY/3.1
    spdy          SPDY/3.1 frames
    tasks         tasks that serve a connection, and how they end with it
    process       a process in a container's room, its streams pipes or a terminal
    fds           pipes and terminals without blocking
    dial          connections into a pod's or node's network; bytes from one to the other
    api_port      port 6443 of the control-plane node

One thread does all of it, so a process can be forked at any time, and a socket made in another namespace.
"""
