// RUN: fuse{ops=2}
// CHECK: nn.fused %x
// CHECK: nn.exponential
// CHECK-NEXT: {{.*}}nn.sine
// CHECK-NEXT: nn.yield
// CHECK: nn.fused
// CHECK: nn.cosine
// CHECK-NEXT: nn.yield
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = nn.exponential %x : tensor<4xf32>
  %b = nn.sine %a : tensor<4xf32>
  %c = nn.cosine %b : tensor<4xf32>
  func.return %c : tensor<4xf32>
}
