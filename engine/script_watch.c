/*
 * What a watchdog needs to know of the VM, and what keeps a quarantined source
 * out. The timer and where a source is noted are the process's own.
 */

#include "engine/script_vm.h"

/* A phase but the host's says that a script is on the stack. Handlers run on
 * the VM's own thread, so what they find was stored in program order. */
static bool
running(const pos_script_vm_t *vm)
{
    return vm != NULL && vm->file != NULL
           && *(const volatile pos_script_phase_t *) &vm->phase != POS_PHASE_HOST;
}

pos_str_t
pos_script_running(const pos_script_vm_t *vm)
{
    if (!running(vm)) {
        return pos_str("");
    }
    return vm->promotion != NULL ? vm->promotion->id : vm->loading;
}

const uint8_t *
pos_script_running_source(const pos_script_vm_t *vm)
{
    return running(vm) ? vm->file->source : NULL;
}

bool
pos_script_watch(pos_script_watch_t *watch, const pos_script_vm_t *vm, uint32_t periods)
{
    if (!running(vm)) {
        watch->call = 0;
        return false;
    }
    if (watch->call != vm->serial) {
        watch->call = vm->serial;
        watch->ticks = 0;
    }
    watch->ticks++;
    return watch->ticks > periods;
}

void
pos_script_vm_quarantine(pos_script_vm_t *vm, const pos_quarantine_t *quarantine)
{
    vm->quarantine = quarantine;
}

bool
pos_script_look(const pos_script_vm_t *vm, pos_script_file_t *file)
{
    file->looked = pos_quarantine_changes(vm->quarantine);
    file->quarantined = pos_quarantine_holds(vm->quarantine, file->source);
    return file->quarantined;
}
