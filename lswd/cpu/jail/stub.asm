; The stub: all the code of ours in the jailed process. Constants: layout.py. Assemble: python -m lswd.cpu.jail.assemble
;
; It is one page, an ELF program that maps itself to its place and starts again there. Each thread has a block of memory
; that it shares with the kernel; FS points to it. A thread that stops (a system call, a signal) says why in its block,
; waits for the kernel's answer, carries out the operations (Linux system calls) listed there, and goes on as told.
;
; A signal is reported like a system call, unless it finds the thread between call_saved and return_begin or
; restore_begin: then the thread has stopped already, and the interrupt is only noted. Between return_begin and
; return_end, and restore_begin and restore_end, the kernel completes in the signal's context what was going on.
bits 64
org STUB

FUTEX_WAIT equ 0
FUTEX_WAKE equ 1
RIP_OF equ UCONTEXT_REGISTERS + 16 * 8
%define REG(n) REGISTERS + 8 * n

header: db 0x7f, "ELF", 2, 1, 1, 0
        times 8 db 0
        dw 2, 62                        ; ET_EXEC, EM_X86_64
        dd 1
        dq LOW + start - STUB, segments - header, 0
        dd 0
        dw 64, 56, 2, 0, 0, 0
segments:
        dd 1, 5                         ; PT_LOAD, R+X
        dq 0, LOW, LOW, file_end - header, file_end - header, 0x1000
        dd 0x6474e551, 6                ; PT_GNU_STACK: not executable
        dq 0, 0, 0, 0, 0, 16
LOW equ 0x10000000

; ---- start, at the low address; no stack is used
start:  mov     eax, SYS_PRCTL
        mov     edi, 1                  ; PR_SET_PDEATHSIG
        mov     esi, 9
        syscall
        mov     eax, SYS_MMAP
        mov     rdi, CONTROL
        mov     esi, CONTROL_SIZE
        mov     edx, 3
        mov     r10d, MAP_SHARED_FIXED
        mov     r8d, CONTROL_FD
        xor     r9d, r9d
        syscall
        mov     rbx, CONTROL
        cmp     rax, rbx
        jne     die
        mov     eax, 110                ; getppid
        syscall
        cmp     eax, [rbx + CREATOR]
        jne     die
        mov     eax, SYS_MMAP
        mov     rdi, STUB
        mov     esi, STUB_SIZE
        mov     edx, 5
        mov     r10d, 0x12              ; MAP_PRIVATE | MAP_FIXED
        mov     r8d, STUB_FD
        syscall
        mov     rcx, STUB
        cmp     rax, rcx
        jne     die
        mov     rcx, high
        jmp     rcx
die:    mov     eax, SYS_EXIT
        mov     edi, 1
        syscall

; ---- in place
high:   mov     eax, SYS_ARCH_PRCTL
        mov     edi, ARCH_SET_FS
        mov     rsi, rbx
        syscall
thread_start:
        mov     rbx, [fs:SELF]
        lea     rsp, [rbx + BLOCK_SIZE] ; the signal stack: an interrupt may come before Linux knows of it
        mov     eax, 0x2b
        mov     ds, eax
        mov     es, eax
        call    operate
        mov     rax, [rbx + FS_BASE]
        test    rax, rax
        jz      proceed
        mov     ecx, 0x2b               ; a data segment, for 32-bit code; where it begins is the TEB
        mov     fs, ecx
        mov     gs, ecx
        wrfsbase rax
        jmp     proceed
idle:   mov     dword [rbx + KIND], KIND_IDLE
        call    stop
        call    operate
        jmp     proceed

; A system call of 32-bit code, through its gate; FS is the TEB, ecx ours.
        align 16
call32_entry:
        mov     rcx, [fs:TEB_BLOCK]
        mov     [rcx + REG(0)], eax
        mov     [rcx + REG(2)], edx
        mov     [rcx + REG(3)], ebx
        mov     [rcx + REG(4)], esp
        mov     [rcx + REG(5)], ebp
        mov     [rcx + REG(6)], esi
        mov     [rcx + REG(7)], edi
        fxsave64 [rcx + FLOAT]
        mov     rbx, rcx
        jmp     call_stop

; A system call: the number in eax, the first argument in r10. Registers stay as they are until call_saved.
        align 16
call_entry:
        mov     [fs:REG(0)], rax
        mov     [fs:REG(2)], rdx
        mov     [fs:REG(3)], rbx
        mov     [fs:REG(4)], rsp
        mov     [fs:REG(5)], rbp
        mov     [fs:REG(6)], rsi
        mov     [fs:REG(7)], rdi
        mov     [fs:REG(8)], r8
        mov     [fs:REG(9)], r9
        mov     [fs:REG(10)], r10
        mov     [fs:REG(12)], r12
        mov     [fs:REG(13)], r13
        mov     [fs:REG(14)], r14
        mov     [fs:REG(15)], r15
        fxsave64 [fs:FLOAT]
call_saved:
        mov     rbx, [fs:SELF]
call_stop:
        lea     rsp, [rbx + STACK_TOP]
        pushfq
        pop     qword [rbx + FLAGS]
        mov     dword [rbx + KIND], KIND_CALL
        call    stop
        call    operate
proceed:
        mov     eax, [rbx + ACTION]
        cmp     eax, ACTION_RETURN
        je      return_begin
        cmp     eax, ACTION_CONTEXT
        je      restore_begin
        cmp     eax, ACTION_EXIT
        jne     idle
leave_thread:
        mov     eax, SYS_EXIT
        xor     edi, edi
        syscall

; Tell the kernel and wait for its answer. rbx: the block; changes rax, rcx, rdx, rsi, rdi, r8-r11.
stop:   mov     eax, STATE_STOPPED
        xchg    [rbx + STATE], eax
        cmp     dword [rbx + HOST_SLEEPS], 0
        je      .spin
        mov     eax, SYS_FUTEX
        lea     rdi, [rbx + STATE]
        mov     esi, FUTEX_WAKE
        mov     edx, 1
        syscall
.spin:  rdtsc
        shl     rdx, 32
        lea     r8, [rdx + rax]
        add     r8, [rbx + SPIN]
.turn:  cmp     dword [rbx + STATE], STATE_STOPPED
        jne     .awake
        pause
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        cmp     rax, r8
        jb      .turn
        mov     eax, 1
        xchg    [rbx + GUEST_SLEEPS], eax
        lea     r10, [rel moment]
.sleep: cmp     dword [rbx + STATE], STATE_STOPPED
        jne     .awake
        mov     eax, SYS_FUTEX
        lea     rdi, [rbx + STATE]
        mov     esi, FUTEX_WAIT
        mov     edx, STATE_STOPPED
        syscall
        xor     r10d, r10d              ; the kernel's answer and our falling asleep may cross: once, look again soon
        jmp     .sleep
.awake: mov     dword [rbx + GUEST_SLEEPS], 0
        ret

; Carry out the listed Linux system calls; the filter sees to it that only harmless ones can be listed.
operate:
        xor     ebp, ebp
        mov     [rbx + OPERATION_ERROR], rbp
        lea     r13, [rbx + OPERATIONS]
        xchg    ebp, [rbx + OPERATION_COUNT]
.next:  sub     ebp, 1
        jb      .done
        mov     rax, [r13]
        mov     r12, rax
        mov     rdi, [r13 + 8]
        mov     rsi, [r13 + 16]
        mov     rdx, [r13 + 24]
        mov     r10, [r13 + 32]
        mov     r8, [r13 + 40]
        mov     r9, [r13 + 48]
        syscall
        cmp     r12d, SYS_CLONE
        jne     .kept
        test    rax, rax
        jz      thread_start
.kept:  mov     [r13 + 56], rax
        add     r13, 64
        cmp     rax, -4095
        jb      .next
        mov     [rbx + OPERATION_ERROR], rax
        jmp     .next
.done:  mov     dword [rbx + CARRYING_OUT], 0
        ret

; ---- out of the stub: the kernel can complete these two for a thread that is interrupted in them
return_begin:
        cmp     dword [rbx + INTERRUPT], 0
        jne     .interrupted
        mov     rdx, [rbx + REG(2)]
        mov     rbp, [rbx + REG(5)]
        mov     rsi, [rbx + REG(6)]
        mov     rdi, [rbx + REG(7)]
        mov     r8, [rbx + REG(8)]
        mov     r9, [rbx + REG(9)]
        mov     r10, [rbx + REG(10)]
        mov     r12, [rbx + REG(12)]
        mov     r13, [rbx + REG(13)]
        mov     rax, [rbx + REG(0)]
        mov     rsp, [rbx + REG(4)]
        mov     rbx, [rbx + REG(3)]
        ret
.interrupted:
        int3
return_end:

restore_begin:
        cmp     dword [rbx + INTERRUPT], 0
        jne     .interrupted
        fxrstor64 [rbx + FLOAT]
        mov     rax, [rbx + REG(0)]
        mov     rcx, [rbx + REG(1)]
        mov     rdx, [rbx + REG(2)]
        mov     rbp, [rbx + REG(5)]
        mov     rsi, [rbx + REG(6)]
        mov     rdi, [rbx + REG(7)]
        mov     r8, [rbx + REG(8)]
        mov     r9, [rbx + REG(9)]
        mov     r10, [rbx + REG(10)]
        mov     r11, [rbx + REG(11)]
        mov     r12, [rbx + REG(12)]
        mov     r13, [rbx + REG(13)]
        mov     r14, [rbx + REG(14)]
        mov     r15, [rbx + REG(15)]
        lea     rsp, [rbx + IRET]
        mov     rbx, [rbx + REG(3)]
        iretq
.interrupted:
        int3
restore_end:

; ---- signals: rdi number, rsi siginfo, rdx ucontext. The stack is the one in the block; all signals are held back.
        align 16
signal_entry:
        mov     rbx, rsp
        and     rbx, -BLOCK_SIZE
        mov     r14, rdx
        cmp     edi, INTERRUPT_SIGNAL
        jne     .report
        mov     rax, [rdx + RIP_OF]
        lea     rcx, [rel call_saved]
        cmp     rax, rcx
        jb      .low
        lea     rcx, [rel return_begin]
        cmp     rax, rcx
        jb      .note
.report:
        mov     [rbx + SIGNAL_NUMBER], rdi
        mov     [rbx + SIGNAL_INFO], rsi
        mov     [rbx + SIGNAL_CONTEXT], rdx
        mov     dword [rbx + KIND], KIND_SIGNAL
        call    stop
        call    operate
        cmp     dword [rbx + ACTION], ACTION_EXIT
        je      leave_thread
        jmp     signal_return
.low:   lea     rcx, [rel start]
        cmp     rax, rcx
        jb      .report
        lea     rcx, [rel call_entry]
        cmp     rax, rcx
        jae     .report
.note:  mov     dword [rbx + INTERRUPT], 1
signal_return:
        mov     rsp, r14
signal_restorer:
        mov     eax, SYS_SIGRETURN
        syscall
        ud2
code_end:
        align 8
moment: dq 0, 3000000                   ; a timespec: 3 ms

        times 4096 - 8 * 10 - ($ - $$) db 0
        dq call_entry, call_saved, return_begin, return_end, restore_begin, restore_end, signal_entry
        dq signal_restorer, code_end, call32_entry
file_end:
