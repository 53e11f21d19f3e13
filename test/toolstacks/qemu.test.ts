import { toolstackConformance } from './conformance.ts';
import { qemuWorld } from './qemu-world.ts';

toolstackConformance('qemu', () => qemuWorld(), {
  captures: ['background', 'precopy', 'paused'],
});
